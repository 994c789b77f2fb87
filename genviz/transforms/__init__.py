"""What happens to an image on its way to the classifier: small moves that a real object would survive.

A new one: a file here with a `Transform`, a YAML in configs/transform, a test in tests/transforms.
"""
