"""Transforms of images on their way to the classifier: small changes that a real object would survive.

To add one: a file here with a ``Transform``, a YAML of the same name in ``configs/transform/``, and a test.
"""
