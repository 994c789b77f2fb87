"""Plain data for the report on a class: what a picture excites, and which real pictures are near it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genviz.analysis.feature_cache import Gallery
from genviz.analysis.nearest import nearest_pictures
from genviz.images.given import readable
from genviz.images.pictures import read_image
from genviz.interfaces import SCORES, Classifier
from genviz.retrieval.features import pooled
from genviz.targets.probabilities import ending_of, probabilities

_OTHERS = 10


@torch.no_grad()
def about_picture(picture: Path, classifier: Classifier, number: int, gallery: Gallery | None = None) -> dict[str, Any]:
    """How strongly the PNG ``picture`` excites class ``number``, and which other classes it excites most.

    Each class has its score, its probability and, with a ``gallery``, the highest score of any picture in it.
    """
    device = classifier.device
    scores = classifier(read_image(picture).to(device), [SCORES])[SCORES][0].cpu()
    order = scores.argsort(descending=True, stable=True).tolist()
    others = [other for other in order if other != number][:_OTHERS]
    return {
        **_class(number, scores, classifier, gallery),
        "rank": order.index(number) + 1,
        "excites": [_class(other, scores, classifier, gallery) for other in others],
    }


def _class(number: int, scores: Tensor, classifier: Classifier, gallery: Gallery | None) -> dict[str, Any]:
    score = scores[number].item()
    told = {"number": number, "label": classifier.outline.labels[number], "score": score}
    told["probability"] = _chances(scores, classifier)[number].item()
    if gallery is not None:
        told["highest_in_folder"] = gallery.scores[:, number].max().item()
    return told


@torch.no_grad()
def about_folder(
    gallery: Gallery,
    classifier: Classifier,
    number: int,
    picture: Path,
    layer: str,
    *,
    count: int,
    best: Sequence[str],
) -> dict[str, Any]:
    """The pictures of ``gallery`` nearest to ``picture`` in the features of ``layer``, and their classes.

    Args:
        number: the class that the picture was made for.
        count: how many to return.
        best: the names of those that score highest for the class.
    """
    device = classifier.device
    features = pooled(classifier(read_image(picture).to(device), [layer])[layer])[0].cpu()
    neighbours = nearest_pictures(gallery, features, count)
    called = gallery.scores.argmax(1).tolist()
    among = Counter(called[neighbour.row] for neighbour in neighbours)
    everywhere = Counter(called)
    labels = classifier.outline.labels
    rows = {name: row for row, name in enumerate(gallery.names)}
    return {
        "folder": readable(gallery.root),
        "pictures": len(gallery.names),
        "damaged": [readable(name) for name in gallery.damaged],
        "features": layer,
        "nearest": [_entry(gallery, n.row, number, classifier) | {"similarity": n.similarity} for n in neighbours],
        "classes": [
            {
                "number": found,
                "label": labels[found],
                "nearest": times,
                "share_of_nearest": times / len(neighbours),
                "share_of_folder": everywhere[found] / len(called),
            }
            for found, times in among.most_common()
        ],
        "highest": [_entry(gallery, rows[name], number, classifier) for name in best],
    }


def _chances(scores: Tensor, classifier: Classifier) -> Tensor:
    return probabilities(scores[None], ending_of(classifier))[0]


def _entry(gallery: Gallery, row: int, number: int, classifier: Classifier) -> dict[str, Any]:
    """A real picture: what the network classifies it as, and how strongly it excites the class ``number``."""
    scores, labels = gallery.scores[row], classifier.outline.labels
    chances = _chances(scores, classifier)
    best = int(scores.argmax())
    return {
        "file": str(gallery.root / gallery.names[row]),
        "name": readable(gallery.names[row]),
        "called": {"number": best, "label": labels[best], "probability": chances[best].item()},
        "score": scores[number].item(),
        "probability": chances[number].item(),
    }
