"""Trainable numbers that become images.

To add one: a file here with a ``Generator``, and a YAML of the same name in ``configs/generator/``.
"""
