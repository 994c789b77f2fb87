"""What the classifier's activations are worth.

To add one: a file here with an ``Objective``, and a YAML of the same name in ``configs/objective/``.
"""
