"""What natural images do not have, each a penalty for every image.

To add one: a file here with a ``Regularizer``, and a YAML of the same name in ``configs/regularizer/``.
"""
