"""Objectives that compare with a reference picture."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from genviz.errors import UserError, out_of_memory
from genviz.images.pictures import read_upright, resize
from genviz.interfaces import Classifier, Objective
from genviz.objectives.kept import Kept
from genviz.targets.grammar import Unit
from genviz.targets.units import Targets, Units


class Remembering(Objective, ABC):
    """An objective that compares activations with stored ones, ``wanted``, by layer."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = {}

    @property
    def wanted(self) -> Kept[str]:
        return self._wanted

    @wanted.setter
    def wanted(self, values: Mapping[str, Tensor]) -> None:
        self._wanted = Kept(values)


class Reference(Remembering, ABC):
    """An objective that compares activations with those for a picture.

    Args:
        image: the picture's file, of any size and mode; or RGB in [0, 1], (1, 3, h, w).
        setting: its name on the command line, for the error message.
    """

    targets: Targets
    """The layers to compare, or parts of them."""

    takes_many = True

    def __init__(self, image: str | Tensor | None, setting: str = "image=FILE") -> None:
        super().__init__()
        picture = picture_of(setting, image)
        if picture is None:
            raise UserError(f"say which picture: {setting}")
        self.picture = picture

    @property
    def layers(self) -> tuple[str, ...]:
        return self.targets.layers

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        picture = self.picture.to(classifier.device)
        if not classifier.outline.resizes:
            picture = resize(picture, self.fit(size))
        with torch.no_grad():
            self.wanted = self.keep(see(classifier, picture, self.layers))

    def fit(self, size: tuple[int, int]) -> tuple[int, int]:
        """The picture's size for a classifier that does not resize, given images of ``size``."""
        return size

    def wanted_of(self, units: Units, activation: Tensor) -> Tensor:
        """What the picture has where these units are, (n, k, values), or (1, k, values) for all n images.

        Args:
            activation: that of the images in the units' layer, (n, ...).

        Raises:
            UserError: it is of another size than the picture's.
        """
        wanted, images = self.wanted[units.layer], len(activation)
        if wanted.shape[1:] != activation.shape[1:]:
            theirs, here = (" x ".join(map(str, each.shape[1:])) for each in (wanted, activation))
            raise UserError(
                f"{units.layer} is {theirs} for the picture and {here} for the image, whose size changes on the way; "
                "set classifier.resize=true, or leave out generator=octaves, transform=pad and transform=boxes"
            )
        if len(wanted) > 1:  # a picture for each image, which may have several views
            return units.select(wanted.repeat_interleave(images // len(wanted), 0))
        own = units.select(wanted)
        return own if len(own) == 1 else units.spread(own, images)

    def units_of(self, seen: Mapping[str, Tensor]) -> Iterator[tuple[Unit, Tensor]]:
        """Every unit of the targets, with what it is of the picture's activations, (pictures, values)."""
        for units in self.targets:
            units.check(tuple(seen[units.layer].shape[1:]))
            for unit in dict.fromkeys(unit for row in units.rows for unit in row):
                activation = seen[unit.layer]
                for place in unit.index:
                    activation = activation[:, place]
                yield unit, activation.reshape(len(activation), -1)

    def check_fires(self, seen: Mapping[str, Tensor]) -> None:
        """Check that every unit has something to compare with.

        Raises:
            UserError: one is 0 everywhere in the picture.
        """
        for unit, values in self.units_of(seen):
            if not values.any(1).all():
                raise UserError(
                    f"{unit.name} is all 0 for the picture, nothing to compare with; name more units, or another layer"
                )

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What to store of the picture's activations."""
        return dict(seen)


def see(classifier: Classifier, picture: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """The activations of ``layers`` for a picture (1, 3, h, w).

    Raises:
        UserError: the classifier cannot take one of this size.
    """
    try:
        return classifier(picture, layers)
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        rows, columns = picture.shape[2:]
        raise UserError(
            f"the classifier cannot take the picture at {rows} x {columns} pixels ({str(error)[:80]}); "
            "give a larger one, or set classifier.resize=true"
        ) from error


def picture_of(setting: str, given: str | Tensor | None) -> Tensor | None:
    """The picture that a ``setting`` names, of any size, as RGB in [0, 1], (1, 3, h, w); None if none is given.

    Raises:
        UserError: it cannot be read, or is no such tensor.
    """
    if isinstance(given, Tensor):
        if given.ndim != 4 or given.shape[1] != 3 or not given.is_floating_point():
            raise UserError(f"a picture must be RGB in [0, 1], (1, 3, h, w), not {tuple(given.shape)}, {given.dtype}")
        return given
    if given is None or given == "":
        return None
    if not isinstance(given, str):
        raise UserError(f"say which picture: {setting}")
    return read_upright(Path(given).expanduser())
