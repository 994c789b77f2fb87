"""Classifiers: frozen networks with their input spaces, labels and layer names.

Every classification model and every detector of torchvision works by its name. To add another source of networks: a
file here with a ``Classifier``, a YAML in ``configs/classifier/``, and a test.
"""
