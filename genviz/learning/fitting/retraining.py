"""A classifier that learns again: its class scores as a trainable network, and frozen copies to draw with."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor, nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.stretched import Stretched
from genviz.classifiers.tracing.copies import freeze
from genviz.errors import UserError
from genviz.images.folders import apart, find_pictures
from genviz.images.given import readable
from genviz.images.pictures import MEAN_COLOUR
from genviz.interfaces import SCORES, Outline
from genviz.learning.data import decodes
from genviz.learning.fitting.labelled import Batch, Labelled
from genviz.targets.grammar import Target
from genviz.targets.labels import class_of_folder


class Scores(nn.Module):
    """A copy of a classifier, to be trained: RGB in [0, 1], (n, 3, h, w), to class scores (n, classes).

    Its weights take gradients, and its dropout and batch norm follow this module's mode, unlike a frozen classifier's.
    """

    def __init__(self, classifier: FrozenClassifier) -> None:
        super().__init__()
        self.classifier = copy.deepcopy(classifier)
        for value in self.classifier.network.parameters():
            value.requires_grad_(True)

    def train(self, mode: bool = True) -> Scores:
        """Set the mode, also of what is frozen otherwise."""
        super().train(mode)
        self.classifier.network.train(mode)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """The class scores."""
        return self.classifier(images, [SCORES])[SCORES]

    def constrain(self) -> None:
        """Project the weights onto those that are allowed, as in the network's first training."""
        if callable(constrain := getattr(self.classifier.network, "constrain", None)):
            constrain()

    def frozen(self) -> FrozenClassifier:
        """A copy as it is now, to look into."""
        made = copy.deepcopy(self.classifier)
        freeze(made.network)
        return made


def unstretched(classifier: FrozenClassifier) -> FrozenClassifier:
    """A copy that sees 0-255 minus the mean colour as it is, if it was trained on stretched pictures."""
    if not isinstance(classifier.input_space, Stretched):
        return classifier
    made = copy.deepcopy(classifier)
    made.input_space = InputSpace(scale=255.0, mean=MEAN_COLOUR).to(classifier.device)
    return made


def class_of(target: Target) -> int:
    """The class that a target is.

    Raises:
        UserError: it is none, or several.
    """
    units = [unit for unit in target.units if unit.kind == "class"]
    if len(units) != 1 or len(target.units) != 1:
        raise UserError(f"target={target}: what is learned and drawn is one class, target=class:NAME")
    return int(units[0].index[0])


def labelled(root: str, outline: Outline, number: int) -> Labelled:
    """The pictures in a folder: all of class ``number``, or of the classes that its subfolders are called after.

    Raises:
        UserError: there is no such folder, no picture, a subfolder that is called after no class, or a picture beside
            the subfolders.
    """
    found = find_pictures(root, "pictures").pictures
    folder, _ = apart(root)
    subfolders = {path.relative_to(folder).parts[0] for path in found if path.parent != folder}
    if not subfolders:
        return Labelled(found, torch.full((len(found),), number))
    if (beside := next((path for path in found if path.parent == folder), None)) is not None:
        raise UserError(
            f"pictures={root}: {readable(beside.name)} lies beside the classes' subfolders; put it into one of them, "
            "or give a folder whose pictures are all of the target's class, without subfolders"
        )
    numbers = {}
    for name in sorted(subfolders):
        try:
            numbers[name] = class_of_folder(readable(name), outline.labels)
        except UserError as error:
            raise UserError(
                f"pictures={root}: the subfolder {readable(name)} is not named after a class of the network ({error}); "
                "pictures of the target's class alone lie in the folder itself"
            ) from None
    return Labelled(found, torch.tensor([numbers[path.relative_to(folder).parts[0]] for path in found]))


def parts(whole: Labelled, *, hold_out: float, repeat: int | None, seed: int) -> tuple[Labelled, Labelled]:
    """Those to train on and those held out, at random.

    Args:
        repeat: how many there are to be before that, by repeating them in order; None: as they are. Then some may be
            in both parts.

    Raises:
        UserError: there are too few.
    """
    count = len(whole.labels) if repeat is None else repeat
    held = round(hold_out * count)
    if not 0 < held < count:
        raise UserError(f"pictures: {count} are too few to hold out a share of {hold_out:g}; give more, or repeat=32")
    numbers = torch.arange(count) % len(whole.labels)
    order = numbers[torch.randperm(count, generator=torch.Generator().manual_seed(seed))]
    return whole.subset(order[held:]), whole.subset(order[:held])


def check_sound(whole: Labelled, root: str, *, hold_out: float, repeat: int | None, seeds: Iterable[int]) -> None:
    """Check that each run, by its seed, has pictures to train on and to hold out that can be decoded.

    Raises:
        UserError: one has none.
    """
    sound = cache(decodes)
    for seed in seeds:
        drawn = parts(whole, hold_out=hold_out, repeat=repeat, seed=seed)
        for part, what in zip(drawn, ("to train on", "held out"), strict=True):
            if not part.any_decodes(sound):
                raise UserError(f"pictures={root}: none of its {len(part.labels)} pictures {what} can be decoded")


@torch.no_grad()
def recognised(classifier: FrozenClassifier, batches: Iterable[Batch]) -> float:
    """The share of pictures whose class a classifier names first."""
    right = total = 0
    for images, labels in batches:
        if len(labels):
            answers = classifier((images.float() / 255).to(classifier.device), [SCORES])[SCORES].argmax(1).cpu()
            right, total = right + int((answers == labels).sum()), total + len(labels)
    return right / max(total, 1)
