"""Adversarial patches: a sticker that is seen as a class wherever it sticks."""
