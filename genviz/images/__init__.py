"""Pictures: reading and writing them, sheets and videos of them, and the random numbers that each draws."""
