"""Attacks on many pictures, batch by batch: each outcome is kept, and measured on the files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genviz.adversarial.answers import check_classes
from genviz.adversarial.examples.attack import attack
from genviz.adversarial.examples.methods import Steps
from genviz.adversarial.examples.outcomes import Outcome, Said, Seen, outcome, see, succeeds
from genviz.adversarial.examples.smallest import smallest
from genviz.errors import UserError
from genviz.files import prepare_folder, sha256, write_text
from genviz.generators.perturbation import Norm
from genviz.images.pictures import display, read_image, write_png
from genviz.interfaces import Classifier
from genviz.targets.grammar import Target, parse_target

FILES = ("original.png", "perturbation.png", "fooled.png")


class Picture(NamedTuple):
    """A picture to attack."""

    name: str
    key: str
    """Of the file and all settings: an outcome under it is that of this attack."""
    image: Tensor
    """RGB in [0, 1], (1, 3, h, w)."""
    seed: int
    truth: int | None
    """Its class, if that is known."""


class Plan(NamedTuple):
    """What is done to each picture."""

    target: Target | None
    """None: away from what the network says, or ``random``."""
    epsilons: tuple[float, ...]
    """To try; the smallest that works is searched for among several, in ascending order."""
    steps: Callable[[float], Steps]
    """Those for an epsilon."""
    norm: Norm
    restarts: int
    is_smallest: bool = False
    """Whether DeepFool finds how far each has to go."""
    random: bool = False
    """Whether each picture has a class of its own, drawn from the others by its seed."""


class Attacker:
    """Attacks pictures and measures what was written.

    Args:
        classifier: the attacked network.
        other: a second one, which is only asked.
        folder: with a folder for each picture.
        trainer: Lightning's settings.

    Raises:
        UserError: a network has a single class, and classes are to change, or the method cannot attack it.
    """

    def __init__(
        self, classifier: Classifier, other: Classifier | None, plan: Plan, folder: Path, trainer: dict[str, Any]
    ) -> None:
        self.classifier, self.other, self.plan, self.folder, self.trainer = classifier, other, plan, folder, trainer
        if plan.target is None or plan.target.is_of_classes:
            check_classes(classifier.outline)
            if other is not None:
                check_classes(other.outline, "other")
        if plan.is_smallest and classifier.independent:
            raise UserError("method=deepfool needs classes that compete, and a detector's do not; use method=pgd")

    def known(self, picture_name: str, key: str) -> Outcome | str | None:
        """What was found out about a picture before: its outcome, why it was left alone, or nothing."""
        place = self.folder / picture_name
        try:
            kept = json.loads((place / "outcome.json").read_text())
            if kept["key"] != key:
                return None
            if "left" in kept:
                return str(kept["left"])
            if kept["sha256"] != {file: sha256(place / file) for file in FILES}:
                return None
            return Outcome.of_dict(kept["outcome"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def attack(self, pictures: Sequence[Picture], ended: Callable[[], bool]) -> Iterator[tuple[Picture, Outcome | str]]:
        """Attack some pictures together; yield each with its outcome, or why it was left alone.

        Args:
            ended: asked after each step whether to give up.
        """
        originals = (255 * torch.cat([picture.image for picture in pictures])).round() / 255
        every: list[Target] = []

        def own(place: int, said: Said) -> Target:
            every.append(self._own(pictures[place], said.number))
            return every[-1]

        if self.plan.target is not None:
            every = [self.plan.target] * len(pictures)
        before = see(self.classifier, originals, every or own)
        chosen: list[int] = []
        for number, (picture, target, seen) in enumerate(zip(pictures, every, before, strict=True)):
            if (why := self._left(picture, target, seen)) is not None:
                self._keep(picture, {"left": why})
                yield picture, why
            else:
                chosen.append(number)
        if not chosen:
            return
        some, targets = [pictures[number] for number in chosen], [every[number] for number in chosen]
        made = self._perturbed(originals[chosen], targets, [picture.seed for picture in some], ended)
        if ended():
            return
        yield from self._written(some, targets, originals[chosen], [before[number] for number in chosen], *made)

    def _own(self, picture: Picture, now: int) -> Target:
        """The target of a picture in which the network says the class ``now``."""
        outline, text = self.classifier.outline, f"class:{now}@-1"
        if self.plan.random:
            stream = torch.Generator().manual_seed(picture.seed)
            other = int(torch.randint(len(outline.labels) - 1, (), generator=stream))
            text = f"class:{other + (other >= now)}"
        return parse_target(text, outline.labels, outline.layers)

    def _left(self, picture: Picture, target: Target, seen: Seen) -> str | None:
        labels, now = self.classifier.outline.labels, seen.top[0]
        if picture.truth is not None and not seen.shows(picture.truth):
            if seen.independent:
                return f"the network sees no {labels[picture.truth]}"
            return f"the network says {now.label}, not {labels[picture.truth]}"
        if not succeeds(target, seen):
            return None
        wanted = [unit.index[0] for unit in target.units if unit.weight > 0 and seen.shows(unit.index[0])]
        if seen.independent and not wanted:
            return f"the network sees no {labels[target.units[0].index[0]]}"
        return f"the network says {labels[wanted[0]] if wanted else now.label} already"

    def _perturbed(
        self, originals: Tensor, targets: Sequence[Target], seeds: Sequence[int], ended: Callable[[], bool]
    ) -> tuple[Tensor, list[Seen | None], list[float], list[bool]]:
        """The perturbed pictures; of each what the network sees, if that is known, its epsilon, whether it is flat."""
        if self.plan.is_smallest:
            labels = torch.tensor([target.units[0].index[0] for target in targets])
            number = self.plan.steps(1.0).number
            best, sizes = smallest(self.classifier, originals, labels, norm=self.plan.norm, steps=number)
            return best, [None] * len(targets), sizes.tolist(), [False] * len(targets)
        tried = self.plan.epsilons
        best, known = originals.clone(), list[Seen | None]([None] * len(targets))
        low, high = [0] * len(targets), [len(tried)] * len(targets)  # the smallest that works is in [low, high)
        flat = [False] * len(targets)
        first = True
        while any(first or a < b for a, b in zip(low, high, strict=True)) and not ended():
            at = [len(tried) - 1 if first else (a + b) // 2 for a, b in zip(low, high, strict=True)]
            left = [n for n in range(len(targets)) if first or low[n] < high[n]]
            images, seen, works, without = self._restarted(
                originals[left],
                [targets[n] for n in left],
                [tried[at[n]] for n in left],
                [seeds[n] for n in left],
                ended,
            )
            for place, n in enumerate(left):
                flat[n] |= without[place]
                if works[place] or first:
                    best[n], known[n] = images[place], seen[place]
                if works[place]:
                    high[n] = at[n]
                elif first:
                    low[n] = high[n] = len(tried) - 1
                else:
                    low[n] = at[n] + 1
            first = False
        return best, known, [tried[min(n, len(tried) - 1)] for n in high], flat

    def _restarted(
        self,
        originals: Tensor,
        targets: Sequence[Target],
        epsilons: Sequence[float],
        seeds: Sequence[int],
        ended: Callable[[], bool],
    ) -> tuple[Tensor, list[Seen | None], list[bool], list[bool]]:
        """Perturbed pictures, what is seen in each, and whether it fools; others are tried again from other starts.

        The last is whether it fools from no start, and had a gradient of 0 after one.
        """
        best, works, flat = originals.clone(), [False] * len(targets), [False] * len(targets)
        known: list[Seen | None] = [None] * len(targets)
        for restart in range(self.plan.restarts):
            left = [number for number, works_already in enumerate(works) if not works_already]
            if not left or ended():
                break
            for together in self._alike(left, epsilons):
                attacked = attack(
                    self.classifier,
                    originals[together],
                    [targets[number] for number in together],
                    torch.tensor([epsilons[number] for number in together]),
                    [self.plan.steps(epsilons[number]) for number in together],
                    norm=self.plan.norm,
                    seeds=[(seeds[number] + 2**16 * restart) % 2**32 for number in together],
                    trainer=self.trainer,
                    ended=ended,
                )
                seen = see(self.classifier, attacked.images, [targets[number] for number in together])
                for place, number in enumerate(together):
                    now, so_far = seen[place], known[number]
                    won = bool(succeeds(targets[number], now))
                    is_silent = targets[number].silences and now.activation == 0
                    flat[number] |= bool(attacked.flat[place]) and not is_silent
                    if won or so_far is None or now.activation > so_far.activation:
                        best[number], known[number], works[number] = attacked.images[place], now, won
        return best, known, works, [each and not won for each, won in zip(flat, works, strict=True)]

    def _alike(self, numbers: Sequence[int], epsilons: Sequence[float]) -> list[list[int]]:
        """The pictures that are attacked in equally many steps, and so can be attacked together."""
        groups: dict[int, list[int]] = {}
        for number in numbers:
            groups.setdefault(self.plan.steps(epsilons[number]).number, []).append(number)
        return list(groups.values())

    def _written(
        self,
        pictures: Sequence[Picture],
        targets: Sequence[Target],
        originals: Tensor,
        before: Sequence[Seen],
        images: Tensor,
        after: Sequence[Seen | None],
        epsilons: Sequence[float],
        flat: Sequence[bool],
    ) -> Iterator[tuple[Picture, Outcome]]:
        """Write the files, and measure them as read back.

        Args:
            before, after: what the network sees in ``originals`` and ``images``, if that is known.
        """
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="genviz-writer") as threads:
            files = threads.map(self._files, pictures, originals, images, epsilons)
            read = [torch.cat(both) for both in zip(*files, strict=True)]
        own = [
            self._in_files(files, pixels, known, targets)
            for files, pixels, known in zip(read, (originals, images), (before, after), strict=True)
        ]
        seen = list(zip(*own, strict=True))
        others: list[Any] = [None] * len(pictures)
        if self.other is not None:
            others = list(zip(*(see(self.other, some, None) for some in read), strict=True))
        labels = self.classifier.outline.labels
        for number, (picture, target, epsilon) in enumerate(zip(pictures, targets, epsilons, strict=True)):
            found = outcome(target, epsilon, (read[0][number], read[1][number]), seen[number], others[number], labels)
            found = found._replace(flat=flat[number])
            digests = {file: sha256(self.folder / picture.name / file) for file in FILES}
            self._keep(picture, {"outcome": found.as_dict(), "sha256": digests})
            yield picture, found

    def _files(self, picture: Picture, original: Tensor, image: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
        """Write a picture's files; return what is read from them: the original, and the perturbed picture."""
        place = self.folder / picture.name
        prepare_folder(place)
        shown = 0.5 + (image - original) * (0.5 / max(float((image - original).abs().max()), 1e-12))
        for file, pixels in zip(FILES, (original, shown, image), strict=True):
            write_png(place / file, display(pixels), {"epsilon": f"{epsilon:.6g}"}, quick=True)
        return read_image(place / FILES[0]), read_image(place / FILES[2])

    def _in_files(
        self, files: Tensor, pixels: Tensor, known: Sequence[Seen | None], targets: Sequence[Target]
    ) -> list[Seen]:
        """What the network sees in pictures as read from ``files``; it looks again unless they are what it saw."""
        seen = [each for each in known if each is not None]
        if len(seen) == len(known) and torch.equal(files, pixels):
            return seen
        return see(self.classifier, files, targets)

    def _keep(self, picture: Picture, facts: dict[str, Any]) -> None:
        place = self.folder / picture.name
        prepare_folder(place)
        write_text(place / "outcome.json", json.dumps({"key": picture.key, **facts}, indent=2) + "\n")
