"""Distillation: a network that learns from another, from pictures without labels."""
