"""Generators: trainable parameters that become images.

To add one: a file here with a ``Generator``, a YAML of the same name in ``configs/generator/``, and a test.
"""
