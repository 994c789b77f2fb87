"""Regularizers: penalties, per image, on what natural images do not have.

To add one: a file here with a ``Regularizer``, a YAML of the same name in ``configs/regularizer/``, and a test.
"""
