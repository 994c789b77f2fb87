"""Pictures: reading, writing, sheets, videos, and the random numbers that each image draws."""
