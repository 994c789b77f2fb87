"""The configured classifier, ready to look at pictures."""

from __future__ import annotations

import torch
from omegaconf import DictConfig

from genviz.classifiers.frozen import FrozenClassifier
from genviz.training import build


def looking(config: DictConfig) -> FrozenClassifier:
    """The configured classifier, with its weights loaded, on the GPU if one is to be used."""
    classifier = build.classifier(config.classifier)
    on_gpu = torch.cuda.is_available() and config.trainer.accelerator != "cpu"
    return classifier.to("cuda") if on_gpu else classifier
