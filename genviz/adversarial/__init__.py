"""What fools a network: perturbations of real pictures, stickers, one perturbation for all."""
