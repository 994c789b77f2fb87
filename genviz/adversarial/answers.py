"""What an attack asks a classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.targets.probabilities import ending_of, log_probabilities, probabilities


def check_classes(outline: Outline, setting: str = "classifier") -> None:
    """Check that there is another class to change to.

    Raises:
        UserError: there is not.
    """
    if len(outline.labels) < 2:
        count = "a single class" if outline.labels else "no classes"
        raise UserError(f"{setting}: the network has {count}, and no picture has another to change to")


def margins_of(classifier: Classifier) -> Callable[[Tensor], Tensor]:
    """Scores before any softmax, up to a number for each picture: images (n, 3, h, w) to (n, classes)."""
    ending = ending_of(classifier)

    def scores(images: Tensor) -> Tensor:
        return log_probabilities(classifier(images.to(classifier.device), [SCORES])[SCORES], ending).to(images.device)

    return scores


@torch.no_grad()
def named(classifier: Classifier, images: Tensor, at_once: int) -> tuple[Tensor, Tensor]:
    """The class that the network names in each of ``images``, bytes (n, 3, h, w), and its probability, (n,) each."""
    ending = ending_of(classifier)
    labels, chances = [], []
    for some in images.split(at_once):
        scores = classifier((some.float() / 255).to(classifier.device), [SCORES])[SCORES]
        best = probabilities(scores, ending).max(1)
        labels.append(best.indices.cpu())
        chances.append(best.values.float().cpu())
    return torch.cat(labels), torch.cat(chances)
