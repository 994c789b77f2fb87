"""What the programs do once their configuration is read: one module for each of them."""
