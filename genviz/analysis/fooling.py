"""Attacks on pictures, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from genviz.adversarial.examples.attack import objective_of, pictures_at_once
from genviz.adversarial.examples.attacker import FILES, Attacker, Picture, Plan
from genviz.adversarial.examples.methods import find_method
from genviz.adversarial.examples.outcomes import Outcome
from genviz.adversarial.examples.settings import norm_of, size_of
from genviz.analysis.arguments import as_setting, check_arguments, classifier_of
from genviz.analysis.isolation import isolated
from genviz.classifiers.labels import Labels
from genviz.classifiers.metadata import Metadata
from genviz.classifiers.sizes import Size
from genviz.errors import UserError
from genviz.images.given import as_pictures
from genviz.images.notebook import pictures_html
from genviz.images.pictures import display, read_image
from genviz.images.sheet import check_suffix, write_sheet
from genviz.interfaces import Classifier
from genviz.targets.grammar import parse_target
from genviz.training.schema import Count, Index, Kind, Settings

_COUNT = Kind("a whole number from 1 up, or None")


class CallSettings(Settings):
    """The numbers that `fool` takes, under their names there."""

    steps: Annotated[Count | None, _COUNT]
    restarts: Count
    at_once: Annotated[Count | None, _COUNT]
    seed: Index


class Fooled:
    """The pictures of `fool`. A notebook shows each before and after, with the perturbation between them.

    Attributes:
        images: as a PNG holds them, RGB in [0, 1], (n, 3, h, w).
        originals: likewise, before.
        outcomes: what the network says of each, before and after; why it was left alone, where it was.

    >>> import genviz, torch
    >>> fooled = genviz.fool("small", torch.rand(1, 3, 128, 128), method="fgsm", epsilon="1/255", accelerator="cpu")
    >>> fooled.outcomes[0].levels
    1
    """

    def __init__(self, originals: Tensor, images: Tensor, outcomes: Sequence[Outcome | str], folder: Any) -> None:
        self.originals, self.images, self.outcomes, self._folder = originals, images, list(outcomes), folder

    def save(self, path: str | Path) -> Path:
        """Write a sheet with a row for each attacked picture to ``path``, a .png or .jpg file; return the path.

        Raises:
            UserError: another suffix, nothing to show, a full disk, or a folder that cannot be written to.
        """
        path = Path(path).expanduser()
        check_suffix(path)
        rows = [
            [(word, Path(self._folder.name) / str(number) / file) for word, file in zip(words, FILES, strict=True)]
            for number, words in self._words()
        ]
        if not rows:
            raise UserError(f"{path}: no picture was attacked: {self.outcomes[0]}")
        write_sheet(path, rows, self.images.shape[2])
        return path

    def _words(self) -> list[tuple[int, tuple[str, str, str]]]:
        found = []
        for number, outcome in enumerate(self.outcomes):
            if isinstance(outcome, Outcome):
                before, after = (
                    f"{said[0].label} {said[0].probability:.1%}" for said in (outcome.before, outcome.after)
                )
                found.append((number, (before, f"perturbation, at most {outcome.levels}/255", after)))
        return found

    def _repr_html_(self) -> str:
        rows = []
        for number, words in self._words():
            original, image = self.originals[number], self.images[number]
            change = image - original
            amplified = 0.5 + change * (0.5 / max(float(change.abs().max()), 1e-12))
            shown = (display(original), display(amplified), display(image))
            rows.append(pictures_html(list(zip(shown, words, strict=True))))
        return "".join(rows)

    def __repr__(self) -> str:
        fooled = sum(bool(each.success) for each in self.outcomes if isinstance(each, Outcome))
        return f"Fooled({fooled} of {len(self.outcomes)} pictures)"


def fool(
    network: str | nn.Module | Classifier,
    images: str | Path | Tensor | Sequence[str | Path],
    target: str | None = None,
    *,
    method: str = "pgd",
    epsilon: float | str = "8/255",
    norm: str | int = "linf",
    steps: int | None = None,
    step: float | str | None = None,
    restarts: int = 1,
    at_once: int | None = None,
    seed: int = 0,
    input_size: Size | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Labels | None = None,
    accelerator: str = "auto",
) -> Fooled:
    """Perturb ``images`` until ``network`` sees something else, as ``genviz fool`` does.

    The process and the network are left as they were. All numbers are of the pictures in 8 bits.

    Args:
        network: as for `genviz.visualize`.
        images: a file, several, or RGB in [0, 1], (n, 3, h, w).
        target: what it should see; None: anything but what it says now.
        method: ``fgsm``, ``bim``, ``pgd``, ``mi_fgsm`` or ``deepfool``.
        epsilon: the largest norm of a perturbation, in units of [0, 1], also as ``"8/255"``.
        norm: ``linf`` or ``l2``.
        steps, step: their number and the norm of each; None: the method's own.
        restarts: attacks on each picture that still holds.
        at_once: pictures attacked together; None: 16 of 224 x 224 pixels, more of smaller ones.
        seed: of the random starts.
        input_size, mean, std, labels: of a module that does not declare them, as for `genviz.visualize`.
        accelerator: Lightning's: auto, cpu, gpu.

    Raises:
        UserError: a picture cannot be read, the network does not have the target, or a setting cannot work.

    >>> import genviz, torch
    >>> fooled = genviz.fool("small", torch.rand(2, 3, 64, 64), steps=2, accelerator="cpu")
    >>> fooled.images.shape
    torch.Size([2, 3, 128, 128])
    """
    wanted = find_method(str(method))
    numbers = {"steps": steps, "restarts": restarts, "at_once": at_once, "seed": seed}
    steps, restarts, at_once, seed = check_arguments(CallSettings, numbers).values()
    if target is not None and not isinstance(target, str):
        raise UserError(f"target={target!r} must be one target, such as 'class:tabby', or None")
    given = OmegaConf.create(as_setting({"epsilon": epsilon, "norm": norm, "step": step}))
    reach, size = size_of(given, "epsilon"), size_of(given, "step")
    if reach is None:
        raise UserError("epsilon=min is for genviz fool; give a number, such as 8/255")
    own = Metadata(input_size, mean, std, labels)
    folder = TemporaryDirectory(prefix="genviz-")
    with isolated():
        classifier = classifier_of(network, own)
        outline = classifier.outline
        parsed = None if target is None else parse_target(target, outline.labels, outline.layers)
        if parsed is not None:
            objective_of([parsed], outline, torch.zeros(1, 3, *outline.input_size))
        if wanted.is_smallest and parsed is not None:
            raise UserError("method=deepfool goes away from what the network says: no target")
        plan = Plan(
            parsed,
            (reach,),
            lambda most: wanted.steps(most, steps, size),
            norm_of(given),
            restarts,
            wanted.is_smallest,
        )
        pictures = as_pictures(images, outline.input_size)
        attacker = Attacker(
            classifier,
            None,
            plan,
            Path(folder.name),
            {"accelerator": accelerator, "devices": 1, "precision": "32-true"},
        )
        waiting = [Picture(str(n), "", image, seed + n, None) for n, image in enumerate(pictures.split(1))]
        found: dict[str, Outcome | str] = {}
        at_once = at_once or pictures_at_once(outline.input_size)
        for first in range(0, len(waiting), at_once):
            for picture, outcome in attacker.attack(waiting[first : first + at_once], lambda: False):
                found[picture.name] = outcome
    originals = (255 * pictures.cpu()).round() / 255
    written = [
        read_image(Path(folder.name) / str(number) / FILES[2])
        if isinstance(found[str(number)], Outcome)
        else originals[number : number + 1]
        for number in range(len(waiting))
    ]
    return Fooled(originals, torch.cat(written), [found[str(number)] for number in range(len(waiting))], folder)
