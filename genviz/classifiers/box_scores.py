"""Class scores of torchvision's detectors: how sure a detector is that a class is anywhere in the picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.fcos import FCOS
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet
from torchvision.models.detection.ssd import SSD

Detector: TypeAlias = GeneralizedRCNN | SSD | RetinaNet | FCOS
"""Faster, Mask and Keypoint R-CNN are all a ``GeneralizedRCNN``."""

_FAINTEST = -30.0
"""The log-odds of a class where there is no box at all."""


class BoxScores(nn.Module, ABC):
    """A detector as a map from images to class scores, (n, classes), with torchvision's numbers: 0 is the background.

    A detector gives each box a confidence p for each class. The score of a class is log p / (1 - p) of the box that has
    most of it, over all boxes before non-maximum suppression; as that never drops the most confident box of a class,
    ``sigmoid(score)`` is the confidence of the best detection. A box holds the background where it holds nothing else;
    that score is of the box that most likely holds something, so it is high only if there is nothing in the picture.

    The modules have the detector's own names.

    Args:
        detector: in eval mode; its modules are shared.
        boxes: how many of the most confident ones a score is the mean of, for each class on its own. With more than
            one, the gradient moves several objects at once.
    """

    def __init__(self, detector: Detector, boxes: int = 1) -> None:
        super().__init__()
        for name, module in detector.named_children():
            self.add_module(name, module)
        object.__setattr__(self, "detector", detector)  # not as a module, whose names would be others
        self.detector: Any
        self.boxes = boxes

    def forward(self, images: Tensor) -> Tensor:
        """Map ``images`` (n, 3, h, w), normalized as the detector does it, to (n, classes)."""
        rows, columns = int(images.shape[2]), int(images.shape[3])
        multiple = self.detector.transform.size_divisible
        padded = F.pad(images, (0, -columns % multiple, 0, -rows % multiple))  # as torchvision's batch_images
        features = self.detector.backbone(padded)
        levels = {"0": features} if isinstance(features, Tensor) else dict(features)
        return self._scores(ImageList(padded, [(rows, columns)] * len(images)), levels)

    @abstractmethod
    def _scores(self, images: ImageList, features: dict[str, Tensor]) -> Tensor:
        """The class scores (n, classes) of ``images`` with the backbone's ``features``."""


class OneStage(BoxScores):
    """Of an SSD, a RetinaNet or an FCOS, whose boxes are the same places of all pictures."""

    def _scores(self, images: ImageList, features: dict[str, Tensor]) -> Tensor:  # noqa: ARG002
        seen = self.detector.head(list(features.values()))
        logits = seen["cls_logits"]  # (n, boxes, classes)
        if isinstance(self.detector, SSD):
            return exclusive(logits, self.boxes)
        if "bbox_ctrness" in seen:  # a confidence is the geometric mean of two (Tian et al. 2019, as in torchvision)
            confidence = (F.logsigmoid(logits) + F.logsigmoid(seen["bbox_ctrness"])) / 2
            confidence = confidence.clamp(max=-torch.finfo(logits.dtype).tiny)
            logits = confidence - (-torch.expm1(confidence)).log()
        return independent(logits, self.boxes)


class TwoStage(BoxScores):
    """Of a Faster, Mask or Keypoint R-CNN, whose first stage proposes boxes.

    ``objectness`` is a layer of one number: the log-odds that the best box of the first stage holds anything. All
    proposals are scored, however low their objectness is, so that there always are some.
    """

    def __init__(self, detector: GeneralizedRCNN, boxes: int = 1) -> None:
        super().__init__(detector, boxes)
        self.objectness = nn.Identity()

    def _scores(self, images: ImageList, features: dict[str, Tensor]) -> Tensor:
        with self._proposing() as objectness:
            if images.tensors.is_meta:  # without values there are no proposals
                objectness.append(self.detector.rpn.head(list(features.values()))[0])
            else:
                proposals, _ = self.detector.rpn(images, features)
        found = torch.cat([level.flatten(1) for level in objectness[0]], 1)
        self.objectness(_highest(found, self.boxes, 1).mean(1, keepdim=True))
        heads = self.detector.roi_heads
        if images.tensors.is_meta:
            return found.new_zeros(len(found), heads.box_predictor.cls_score.out_features)
        pooled = heads.box_roi_pool(features, proposals, images.image_sizes)
        logits, _ = heads.box_predictor(heads.box_head(pooled))  # (boxes of all pictures, classes)
        each = logits.split([len(own) for own in proposals])
        empty = logits.new_full((logits.shape[1],), _FAINTEST)
        return torch.stack([exclusive(own[None], self.boxes)[0] if len(own) else empty for own in each])

    @contextmanager
    def _proposing(self) -> Iterator[list[Any]]:
        """While the block runs, propose boxes of any objectness; yields what the head of the first stage returns."""
        seen: list[Any] = []
        rpn = self.detector.rpn
        least, rpn.score_thresh = rpn.score_thresh, 0.0
        hook = rpn.head.register_forward_hook(lambda _module, _given, result: seen.append(result[0]))
        try:
            yield seen
        finally:
            hook.remove()
            rpn.score_thresh = least


def box_scores(detector: Detector, boxes: int = 1) -> BoxScores:
    """The `BoxScores` of a detector."""
    return TwoStage(detector, boxes) if isinstance(detector, GeneralizedRCNN) else OneStage(detector, boxes)


def exclusive(logits: Tensor, boxes: int = 1) -> Tensor:
    """Class scores (n, classes) of ``logits`` (n, boxes, classes) of which a softmax makes the confidences.

    Args:
        logits: class 0 is the background.
        boxes: as for `BoxScores`.
    """
    found = _best(logits.log_softmax(2), boxes)  # (n, best boxes, classes): their numbers
    own = logits.gather(1, found)
    classes = logits.shape[2]
    rows = found.flatten(1)[..., None].expand(-1, -1, classes)
    others = logits.gather(1, rows).unflatten(1, (-1, classes))  # (n, best boxes, classes, the logits of that box)
    itself = torch.eye(classes, dtype=torch.bool, device=logits.device)
    return (own - others.masked_fill(itself, -torch.inf).logsumexp(3)).mean(1)  # log-odds, exact however sure


def independent(logits: Tensor, boxes: int = 1) -> Tensor:
    """Class scores (n, classes) of ``logits`` (n, boxes, classes) of which a sigmoid makes the confidences.

    Args:
        logits: class 0 is not used; its score is that of the box's likeliest class, with the sign changed.
        boxes: as for `BoxScores`.
    """
    something = logits[..., 1:].amax(2, keepdim=True)
    logits = torch.cat([-something, logits[..., 1:]], 2)
    return logits.gather(1, _best(logits, boxes)).mean(1)


def _best(confidences: Tensor, boxes: int) -> Tensor:
    """The numbers (n, best boxes, classes) of each class's most confident boxes; of class 0, of the least confident.

    Args:
        confidences: (n, boxes, classes), on any scale that rises.
    """
    signs = torch.ones(confidences.shape[2], device=confidences.device)
    signs[0] = -1
    return (confidences.detach() * signs).topk(min(boxes, confidences.shape[1]), 1).indices


def _highest(values: Tensor, count: int, dim: int) -> Tensor:
    return values.topk(min(count, values.shape[dim]), dim).values
