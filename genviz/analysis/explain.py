"""Which pixels of pictures make a target fire, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import torch
from torch import Tensor, nn

from genviz.analysis.arguments import check_arguments, classifier_of
from genviz.analysis.contributions import resolve
from genviz.analysis.examples import drawn
from genviz.analysis.explanation import Explained, Explainer, map_layer, pooled_layer
from genviz.analysis.explanation_settings import TOP1, CallSettings, ExplainSettings
from genviz.analysis.isolation import isolated
from genviz.attribution.faithfulness import Faithfulness
from genviz.attribution.methods import ALL, Settings, find_methods
from genviz.attribution.score import Measure
from genviz.classifiers.labels import Labels
from genviz.classifiers.metadata import Metadata
from genviz.classifiers.sizes import Size
from genviz.errors import UserError
from genviz.images.given import as_pictures
from genviz.images.maps import with_bar
from genviz.images.notebook import pictures_html
from genviz.images.pictures import display, write_png
from genviz.images.sheet import check_suffix, write_sheet
from genviz.interfaces import Classifier
from genviz.targets.grammar import parse_target
from genviz.targets.selections import find_selections


class Explanation:
    """The maps of `explain`. A notebook shows them beside the pictures, each with its verdict under it.

    Attributes:
        images: RGB in [0, 1], (n, 3, h, w), as the network sees them.
        targets: what each was explained for.
        explained: for each picture, a map by each method, with its numbers.
        unordered: for each picture, deletion and insertion of pixels in no order; None if neither was asked for.
        left_out: methods that the network or the target does not allow, and why.

    >>> import genviz, torch
    >>> explanation = genviz.explain("small", torch.rand(2, 3, 64, 64), "class:cloak", method="saliency", steps=0)
    >>> explanation.targets
    ['class:cloak', 'class:cloak']
    """

    def __init__(
        self,
        images: Tensor,
        targets: Sequence[str],
        explained: Sequence[Sequence[Explained]],
        unordered: Sequence[Faithfulness | None],
        left_out: dict[str, str],
    ) -> None:
        self.images, self.targets, self.explained = images, list(targets), [list(row) for row in explained]
        self.unordered, self.left_out = list(unordered), left_out

    @property
    def maps(self) -> dict[str, Tensor]:
        """By method, the maps of all pictures: (n, h, w); of projections such as guided backpropagation, (n, 3, h, w).

        A method that was left out for one of the pictures is not there.

        >>> import genviz, torch
        >>> explanation = genviz.explain("small", torch.rand(1, 3, 64, 64), "class:zebra", steps=0)
        >>> explanation.maps["gradcam"].ndim
        3
        """
        rows = [{found.method.name: found.values for found in row} for row in self.explained]
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0] if all(name in row for row in rows)}

    def save(self, path: str | Path) -> Path:
        """Write a sheet with pictures as rows and methods as columns to ``path``, a .png or .jpg file; return the path.

        Raises:
            UserError: another suffix, a full disk, or a folder that cannot be written to.
        """
        path = Path(path).expanduser()
        check_suffix(path)
        with TemporaryDirectory(prefix="genviz-") as folder:
            rows = []
            for number, row in enumerate(self._shown()):
                files = [(name, Path(folder) / f"{number}-{place}.png") for place, (name, _) in enumerate(row)]
                for (_, file), (_, pixels) in zip(files, row, strict=True):
                    write_png(file, pixels, quick=True)
                rows.append(files)
            write_sheet(path, rows, self.images.shape[2])
        return path

    def _shown(self, verdicts: bool = False) -> list[list[tuple[str, Tensor]]]:
        rows = []
        for image, target, row, chance in zip(self.images, self.targets, self.explained, self.unordered, strict=True):
            made = [(target, display(image))]
            for found in row:
                pixels, shown = found.picture(image)
                told = f"{found.method.title}: {found.verdict(chance)}" if verdicts else found.method.title
                made.append((told, pixels if shown is None else with_bar(pixels, shown)))
            rows.append(made)
        return rows

    def _repr_html_(self) -> str:
        return "".join(pictures_html([(pixels, told) for told, pixels in row]) for row in self._shown(verdicts=True))

    def __repr__(self) -> str:
        names = ", ".join(found.method.name for found in self.explained[0])
        count = len(self.images)
        return f"Explanation({count} picture{'s' * (count != 1)}, {names})"


def explain(
    network: str | nn.Module | Classifier,
    images: str | Path | Tensor | Sequence[str | Path],
    target: str = TOP1,
    *,
    method: str | Sequence[str] = "gradcam",
    layer: str | None = None,
    measure: Measure | None = None,
    steps: int = 20,
    checked: int = 0,
    at_once: int = 8,
    input_size: Size | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Labels | None = None,
    **settings: Any,
) -> Explanation:
    """Which pixels of ``images`` make ``target`` fire in ``network``, as ``genviz explain`` tells.

    The process and the network are left as they were.

    Args:
        network: as for `genviz.visualize`.
        images: a file, several, or RGB in [0, 1], (n, 3, h, w).
        target: as on the command line, where ``filter:relu5_1:top3:zebra`` is found on pictures that are generated;
            ``top1``: the class that the network itself names in each picture.
        method: one or several, such as ``["gradcam", "occlusion"]``; ``all``: those that the network allows.
        layer: of Grad-CAM; None: the last convolution, ReLU or fire module with positions.
        measure: what of a class is explained: ``score``, ``probability`` or ``log_probability``; None: its score, but
            for occlusion its probability.
        steps: of deletion and insertion; 0: neither.
        checked: how many of the pictures have their maps compared with those of random weights.
        at_once: pictures in one pass.
        input_size, mean, std, labels: of a module that does not declare them, as for `genviz.visualize`.
        settings: others of the methods, such as ``size=48``, ``points=100`` or ``samples=50``; see
            `genviz.attribution.methods.Settings`.

    Raises:
        UserError: a picture cannot be read, the network does not have the target, or does not allow a method.

    >>> import genviz, torch
    >>> explanation = genviz.explain("small", torch.rand(1, 3, 64, 64), "class:zebra", method=["saliency", "gradcam"])
    >>> explanation
    Explanation(1 picture, saliency, gradcam)
    """
    names = ExplainSettings.names(list(method) if isinstance(method, tuple) else method)
    methods = find_methods(names)
    known_settings = Settings._fields[2:-1]
    if unknown := sorted(settings.keys() - set(known_settings)):
        raise UserError(f"{unknown[0]}= is no setting of a method; there are {', '.join(known_settings)}")
    numbers = Settings._field_defaults | settings | {"steps": steps, "checked": checked, "at_once": at_once}
    check_arguments(CallSettings, numbers)
    if not isinstance(target, str):
        raise UserError(f"target={target!r} must be one target, such as 'class:tabby', or 'top1'")
    if layer is not None and not isinstance(layer, str):
        raise UserError(f"layer={layer!r} must be a layer's name")
    if measure not in (None, *get_args(Measure)):
        raise UserError(f"measure={measure} must be {', '.join(get_args(Measure))} or None")
    own = Metadata(input_size, mean, std, labels)
    with isolated():
        classifier = classifier_of(network, own)
        outline = classifier.outline
        if find_selections(target):
            target = resolve(classifier, target, partial(drawn, classifier)).text
        known = None if target.strip().casefold() == TOP1 else parse_target(target, outline.labels, outline.layers)
        given = Settings(map_layer(outline, known, layer), pooled_layer(outline, known), at_once=at_once, **settings)
        tolerant = ALL in [name.strip() for name in names]
        explainer = Explainer(classifier, methods, given, steps=steps, measure=measure, tolerant=tolerant)
        pictures = as_pictures(images, outline.input_size).to(classifier.device)
        targets, explained, unordered = [], [], []
        for number, image in enumerate(pictures.split(1)):
            meant = explainer.target(target, image)
            targets.append(str(meant))
            unordered.append(explainer.unordered(meant, image))
            explained.append(list(explainer.explain(image, meant, checked=number < checked)))
    return Explanation(pictures.cpu(), targets, explained, unordered, explainer.left_out)
