"""What runs inside a network: its layers, their channels, and how it is called."""
