"""The probabilities that class scores stand for; some networks return these themselves."""

from __future__ import annotations

import re
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from genviz.interfaces import SCORES, Classifier

Ending = Literal["", "softmax", "sigmoid", "log_softmax", "log_sigmoid", "log_odds"]
"""What a network's scores come out of; '' for scores that may be any number, ``log_odds`` for each class's own."""

_NODES = {"".join(part.capitalize() for part in ending.split("_")): ending for ending in get_args(Ending) if ending}
"""By torch's name of the operation: ``LogSoftmax``."""
_PASSIVE = {
    *("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Clone", "ToCopy", "Alias", "Select", "Slice", "T"),
    *("Mean", "AdaptiveAvgPool2D", "Expand", "Permute", "Transpose", "AsStrided"),
}
"""Operations that leave probabilities what they are."""
_SUM = 1e-3  # by how much half precision may miss 1
_known: WeakKeyDictionary[Classifier, Ending] = WeakKeyDictionary()


def probabilities(scores: Tensor, ending: Ending = "") -> Tensor:
    """The probability of each class, (n, classes), for class ``scores`` (n, classes) with this `ending_of` a network.

    Scores that are probabilities stay as they are. A single score is that of one class against all else.
    """
    if ending in ("softmax", "sigmoid"):
        return scores
    if ending == "log_sigmoid":
        return scores.exp()
    return scores.sigmoid() if _is_alone(scores, ending) else scores.softmax(1)


def log_probabilities(scores: Tensor, ending: Ending = "") -> Tensor:
    """The logarithms of the `probabilities`, exact where these are rounded to 0 or 1."""
    if ending in ("softmax", "sigmoid"):
        return scores.clamp_min(torch.finfo(scores.dtype).tiny).log()
    if ending == "log_sigmoid":
        return scores
    return F.logsigmoid(scores) if _is_alone(scores, ending) else scores.log_softmax(1)


def _is_alone(scores: Tensor, ending: Ending) -> bool:
    """Whether each score is of a class against all else, whatever the other scores are."""
    return ending == "log_odds" or (scores.shape[1] == 1 and not ending)


def ending_of(classifier: Classifier) -> Ending:
    """What the scores of ``classifier`` come out of, found once, on a picture of noise.

    A softmax is known by scores that are positive and sum to 1, however it is computed; the others by torch's record of
    the operations.
    """
    if classifier.independent:
        return "log_odds"
    if classifier not in _known:
        _known[classifier] = _ending_of(classifier)
    return _known[classifier]


def _ending_of(classifier: Classifier) -> Ending:
    noise = torch.rand(1, 3, *classifier.outline.input_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(False), torch.enable_grad():
        noise = noise.clone().to(classifier.device).requires_grad_()
        try:
            scores = classifier(noise, (SCORES,))[SCORES]
        except RuntimeError:  # it computes no gradients
            with torch.no_grad():
                scores = classifier(noise, (SCORES,))[SCORES]
    node = scores.grad_fn
    while node is not None:
        name = re.sub(r"Backward\d*$", "", node.name())
        if name in _NODES:
            return _NODES[name]
        node = node.next_functions[0][0] if name in _PASSIVE else None
    sums = scores.detach().float().sum(1)
    alike = scores.shape[1] > 1 and bool((scores >= 0).all()) and bool(((sums - 1).abs() < _SUM).all())
    return "softmax" if alike else ""
