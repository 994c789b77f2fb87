"""Stickers pasted into held-out pictures, and what networks see there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from genviz.adversarial.stickers.printing import fitted
from genviz.adversarial.success import Success
from genviz.images.randomness import Streams
from genviz.interfaces import SCORES, Classifier
from genviz.transforms.placed import Placed

_AT_ONCE = 32  # pictures


class Judge(NamedTuple):
    """A network, and the number of the class that it should see, or no longer see."""

    name: str
    classifier: Classifier
    wanted: int
    away: bool = False
    """Whether it should no longer see the class."""

    def is_reached(self, scores: Tensor) -> Tensor:
        """In which pictures it sees, or does not see, what it should, (n,), by their class scores, (n, classes).

        It sees the class that it names; of a network whose classes do not compete, such as a detector, each that is
        more likely than not.
        """
        alone = self.classifier.independent  # scores are log-odds
        sees = scores[:, self.wanted] > 0 if alone else scores.argmax(1) == self.wanted
        return ~sees if self.away else sees


class Row(NamedTuple):
    """How often one network is brought to see the class, or no longer to, by one thing of an area."""

    network: str
    pasted: str
    area: float
    success: Success


class Pasting:
    """Pastes stickers into pictures: of a given area, at places that depend on the seed and the picture alone.

    Args:
        scenes: RGB bytes, (m, 3, h, w).
        settings: of `genviz.transforms.placed.Placed`; its sizes do not vary.
        seed: of the places, the angles and the light.
    """

    def __init__(self, scenes: Tensor, settings: Mapping[str, Any], seed: int) -> None:
        self.scenes, self.seed = scenes, seed
        self._settings = {**settings, "pictures": scenes.float() / 255, "sizes": (1.0, 1.0)}

    def pictures(self, sticker: Tensor, area: float) -> Iterator[Tensor]:
        """The pictures with the sticker, RGBA in [0, 1], (1, 4, s, s), as they would be written: RGB in [0, 1]."""
        placed = Placed(**{**self._settings, "area": area})
        size = self.scenes.shape[2], self.scenes.shape[3]
        small = fitted(sticker, area, size)
        placed.streams = Streams([self.seed])
        for scenes in self.scenes.split(_AT_ONCE):
            yield (255 * placed.paste(small, scenes.float() / 255)).round().clamp(0, 255) / 255


@torch.no_grad()
def seen(judge: Judge, images: Tensor) -> Tensor:
    """The class scores of images, (n, classes), on the CPU."""
    classifier = judge.classifier
    at_once = classifier.at_once or len(images)
    return classifier.in_turn(images.to(classifier.device), (SCORES,), at_once)[SCORES].cpu()


def counted(judge: Judge, scenes: Tensor) -> Tensor:
    """Which of the pictures, RGB bytes, count: those in which what should be reached is not the case already, (m,)."""
    return ~torch.cat([judge.is_reached(seen(judge, some.float() / 255)) for some in scenes.split(_AT_ONCE)])


def measured(
    pasting: Pasting, things: Mapping[str, Tensor], areas: Sequence[float], judges: Sequence[Judge]
) -> tuple[list[Row], list[Tensor]]:
    """How often each network is brought to see the class, or no longer to, by area; and which pictures count for each.

    Args:
        things: the stickers, by name.
    """
    count = [counted(judge, pasting.scenes) for judge in judges]
    rows, wanted = [], [(name, area) for name in things for area in areas]
    for name, area in tqdm(wanted, "measured", unit="area", delay=2.0, leave=False, dynamic_ncols=True):
        images = pasting.pictures(things[name], area)
        found = [[judge.is_reached(seen(judge, some)) for judge in judges] for some in images]
        for number, judge in enumerate(judges):
            reached, own = torch.cat([each[number] for each in found]), count[number]
            rows.append(Row(judge.name, name, area, Success(int((reached & own).sum()), int(own.sum()))))
    return rows, count
