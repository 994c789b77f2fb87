"""Universal perturbations: one for all pictures."""
