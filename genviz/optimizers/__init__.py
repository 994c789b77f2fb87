"""Optimizers that torch does not have.

To add one: a file here with a ``torch.optim.Optimizer``, a YAML of the same name in ``configs/optimizer/``, and a test.
"""
