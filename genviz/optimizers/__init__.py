"""Optimizers that torch does not have.

To add one: a file here with a ``torch.optim.Optimizer``, and a YAML of the same name in ``configs/optimizer/``.
"""
