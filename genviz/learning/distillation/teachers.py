"""The classifiers that heads learn from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.interfaces import SCORES


class Teachers(nn.Module):
    """One classifier, or several whose probabilities are averaged.

    Args:
        classifiers: of the same classes.

    Attributes:
        labels: of the classes.
        size: the side of a picture, in pixels, that is large enough for each of them.
        source, sha256: where their weights come from, and their hash.

    Raises:
        UserError: they have different classes.
    """

    def __init__(self, classifiers: Sequence[FrozenClassifier]) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(classifiers)
        self.labels = classifiers[0].outline.labels
        if any(other.outline.labels != self.labels for other in classifiers):
            counts = " and ".join(str(len(classifier.outline.labels)) for classifier in classifiers)
            raise UserError(
                f"the teachers have different classes ({counts}), but need the same; second_teacher.labels=FILE names "
                "those of the second"
            )
        self.size = max(max(classifier.outline.input_size) for classifier in classifiers)
        self.source = " and ".join(classifier.weights_source for classifier in classifiers)
        digests = [classifier.weights_sha256 for classifier in classifiers]
        self.sha256 = digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Scores (n, classes) of RGB images (n, 3, h, w); of several teachers, the log of their mean probabilities."""
        scores = [classifier(images, [SCORES])[SCORES].float() for classifier in self.classifiers]
        if len(scores) == 1:
            return scores[0]
        return torch.stack([F.log_softmax(each, 1) for each in scores]).logsumexp(0) - math.log(len(scores))
