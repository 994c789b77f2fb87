"""Teachers of five classes, and lessons by them, which take no time."""

import torch

from genviz.classifiers.from_module import from_module
from genviz.classifiers.plain import PlainNetwork
from genviz.learning.distillation.lessons import Lessons
from genviz.learning.distillation.teachers import Teachers


def teacher(seed, size=16, classes="abcde"):
    torch.manual_seed(seed)
    return from_module(PlainNetwork([[4]], len(classes)), input_size=size, labels=list(classes))


def lessons(**settings):
    torch.manual_seed(7)
    trunk = from_module(PlainNetwork([[4], [5], [6]], 3), input_size=32)
    given = {"layers": ["relu3_1"], "sizes": [24, 32], "final_size": 40, "mix": 0.0, "noise": 0.0, **settings}
    return Lessons(trunk=trunk, teachers=Teachers([teacher(0)]), examiners=Teachers([teacher(0, size=24)]), **given)


def crops(count=4, size=40):
    torch.manual_seed(1)
    return (torch.rand(count, 3, size, size) * 255).to(torch.uint8)
