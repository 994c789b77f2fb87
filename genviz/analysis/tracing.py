"""Which training pictures generated ones resemble, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from genviz.analysis.arguments import check_arguments, classifier_of
from genviz.analysis.isolation import isolated
from genviz.classifiers.labels import Labels
from genviz.classifiers.metadata import Metadata
from genviz.classifiers.sizes import Size
from genviz.errors import UserError
from genviz.images.given import as_pictures, given_pictures, named
from genviz.images.notebook import pictures_html, table_html
from genviz.images.pictures import display
from genviz.interfaces import Classifier
from genviz.matching.comparers import fitting
from genviz.matching.gathered import Gathered, Named, Plan, Seeing, named_images
from genviz.matching.settings import HarrisSettings, SiftSettings, WordsSettings, methods_of
from genviz.matching.traced import Traced, first_name
from genviz.retrieval.features import Kept, feature_layer
from genviz.training.schema import Index, Kind, Settings

_SHOWN = 5


class CallSettings(Settings):
    """The settings that `trace` takes, under their names there."""

    size: Annotated[int, Field(ge=32, le=2048), Kind("a whole number from 32 to 2048")]
    noise: Index
    seed: Index
    harris: HarrisSettings
    sift: SiftSettings
    words: WordsSettings


class Trace:
    """What `trace` finds. A notebook shows the pictures that are most alike, and what chance would do.

    Attributes:
        found: by method, the scores of each image with each picture, their means, the baselines and the p-values.

    >>> import genviz, numpy as np, tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder, draw = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    >>> for name in ("a", "b", "c"):
    ...     Image.fromarray(draw.integers(0, 256, (9, 9, 3), np.uint8)).resize((64, 64)).save(folder / f"{name}.png")
    >>> traced = genviz.trace(folder / "b.png", folder, noise=0, size=64)
    >>> found = traced.found["sift"]
    >>> found.pictures[found.ranked()[0]]
    'b.png'
    """

    def __init__(self, found: dict[str, Traced], images: Named, pictures: Named) -> None:
        self.found, self._images, self._pictures = found, images, pictures

    def _repr_html_(self) -> str:
        told = []
        for method, found in self.found.items():
            best = found.ranked()[:_SHOWN]
            shown = [(self._images[name], name) for name in found.images[:_SHOWN]]
            shown += [(self._pictures[found.pictures[n]], first_name(found.pictures[n])) for n in best]
            rows = [
                (first_name(found.pictures[n]), found.shown(float(found.mean[n])), found.shown(float(found.sd[n])))
                for n in best
            ]
            told.append(pictures_html([(torch.from_numpy(np.array(pixels)), name) for pixels, name in shown], 128))
            told.append(table_html([method, "mean", "sd"], rows, found.verdict()))
        return "".join(told)

    def __repr__(self) -> str:
        return "\n".join(f"{method}: {found.verdict()}" for method, found in self.found.items())


def trace(
    images: str | Path | Tensor | Sequence[str | Path],
    pictures: str | Path,
    *,
    method: str | Sequence[str] = "sift",
    network: str | nn.Module | Classifier | None = None,
    layer: str | None = None,
    baseline: str | Path | None = None,
    size: int = 200,
    noise: int = 19,
    seed: int = 0,
    input_size: Size | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Labels | None = None,
    **settings: Any,
) -> Trace:
    """Which training ``pictures`` the ``images`` resemble, and whether more than chance, as ``genviz trace`` tells.

    Args:
        images: generated pictures: a file, a folder, several, or RGB in [0, 1], (n, 3, h, w).
        pictures: the folder of training pictures.
        method: harris, sift, words or features; several with commas, or a list.
        network: of ``features``, as for `genviz.visualize`; its ``layer`` is the input of the class scores by default.
        baseline: a folder of other pictures to compare with.
        size: side to which all are resized for key points and words, in pixels.
        noise: how often the images are replaced by noise, to compare with.
        seed: of all that is random.
        input_size, mean, std, labels: of a module that does not declare them, as for `genviz.visualize`.
        settings: ``harris``, ``sift`` and ``words``, each as a dict of what `genviz.matching.harris.match`,
            `genviz.matching.sift.match` and `genviz.matching.words.Words` take.

    Raises:
        UserError: an unknown method, ``features`` without a network, a setting that cannot work, or too little to
            compare.

    >>> import genviz, numpy as np, tempfile, torch
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder, draw = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    >>> for name in ("a", "b", "c"):
    ...     Image.fromarray(draw.integers(0, 256, (9, 9, 3), np.uint8)).resize((64, 64)).save(folder / f"{name}.png")
    >>> traced = genviz.trace(torch.rand(2, 3, 64, 64), folder, method="features", network="small", noise=3)
    >>> traced.found["features"].scores.shape
    (2, 3)
    """
    methods = methods_of(method)
    points = check_arguments(CallSettings, {"size": size, "noise": noise, "seed": seed, **_settings(settings)})
    size, noise, seed, words = (points.pop(name) for name in ("size", "noise", "seed", "words"))
    if "features" in methods and network is None:
        raise UserError("method=features needs a network: network=NAME, a module or a classifier")
    with isolated():
        seeing = None
        if network is not None and "features" in methods:
            own = Metadata(input_size, mean, std, labels)
            classifier = classifier_of(network, own)
            seeing = Seeing(classifier, Kept(feature_layer(classifier.outline, layer)))
        plan = Plan(
            size=size,
            noise=noise,
            seed=seed,
            points=points,
            words=words,
            seeing=seeing,
        )
        shown = _given(images)
        gathered = Gathered(pictures, baseline, plan)
        found = {name: gathered.trace(name, shown) for name in methods}
    small = {name: fitting(image, (size, size)) for name, image in shown.items()}
    return Trace(found, small, gathered.read((size, size))[0])


def _given(images: Any) -> Named:
    if not isinstance(images, Tensor):
        files = given_pictures([str(file) for file in images] if isinstance(images, list | tuple) else str(images))
        return named_images(files, named(files))
    height, width = images.shape[-2:] if images.ndim > 1 else (0, 0)
    checked = as_pictures(images, (height, width))  # at their own size
    return {f"image {number}": display(image).cpu().numpy() for number, image in enumerate(checked, 1)}


def _settings(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of each method but features, where they are not ``given`` the usual ones.

    Raises:
        UserError: there is no such method or setting.
    """
    usual = Plan()
    found = {**usual.points, "words": usual.words}
    if unknown := sorted(given.keys() - found.keys()):
        raise UserError(f"{unknown[0]}= is no setting of a method; there are harris, sift and words, each a dict")
    for name, own in given.items():
        if not isinstance(own, Mapping):
            raise UserError(f"{name}={own!r} must be a dict of settings: {', '.join(found[name])}")
        if unknown := sorted(map(str, own.keys() - found[name].keys())):
            raise UserError(f"{name} has no setting {unknown[0]}; there are {', '.join(found[name])}")
    return {name: {**values, **given.get(name, {})} for name, values in found.items()}
