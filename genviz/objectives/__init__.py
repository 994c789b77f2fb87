"""Objectives: scores of the classifier's activations.

To add one: a file here with an ``Objective``, a YAML of the same name in ``configs/objective/``, and a test.
"""
