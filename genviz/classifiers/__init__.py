"""Frozen networks, each with its input space, labels and layer names.

Any classification model of torchvision is a classifier by its name; another source of networks is one file here with a
``Classifier`` and one YAML in ``configs/classifier/``.
"""
