"""Adversarial examples: real pictures, each with a perturbation of its own."""
