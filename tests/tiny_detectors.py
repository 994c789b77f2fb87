"""Torchvision's kinds of detectors, on 64 x 64 pixels, with random weights and a backbone of two convolutions."""

from __future__ import annotations

import torch
from torch import nn

import genviz  # isort: skip - before torchvision
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.ops import MultiScaleRoIAlign

assert genviz
SIZE, CLASSES = 64, 4
KINDS = ("ssd", "retinanet", "fcos", "fasterrcnn")


def build(kind: str = "ssd", mean: float = 0.5):
    backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(8, 32, 3, 4, 1))
    own = {"image_mean": [mean] * 3, "image_std": [0.25] * 3, "score_thresh": 0.0, "detections_per_img": 10_000}
    sized = own | {"min_size": SIZE, "max_size": SIZE, "topk_candidates": 10_000}
    if kind == "ssd":
        backbone.out_channels = [32]
        boxes = DefaultBoxGenerator([[2]], scales=[0.3, 0.6])
        return SSD(backbone, boxes, (SIZE, SIZE), CLASSES, topk_candidates=10_000, **own)
    backbone.out_channels = 32
    if kind == "fcos":
        return FCOS(backbone, CLASSES, anchor_generator=AnchorGenerator(((16,),), ((1.0,),)), **sized)
    anchors = AnchorGenerator(((16, 32),), ((0.5, 1.0),))
    if kind == "retinanet":
        return RetinaNet(backbone, CLASSES, anchor_generator=anchors, **sized)
    return FasterRCNN(
        backbone, CLASSES, SIZE, SIZE, image_mean=[mean] * 3, image_std=[0.25] * 3, rpn_anchor_generator=anchors,
        box_roi_pool=MultiScaleRoIAlign(["0"], 3, 2), box_score_thresh=0.0, box_detections_per_img=10_000,
    )  # fmt: skip


def loud(detector):
    """``detector`` with weights that make it sure of some boxes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in detector.parameters():
            nn.init.normal_(parameter, std=0.1)
    return detector.eval()
