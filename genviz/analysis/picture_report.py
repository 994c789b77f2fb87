"""Plain data for the page about a picture: its strongest filters, and its neighbours."""

from __future__ import annotations

import copy
import signal
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from genviz.attribution.cam import contributions
from genviz.attribution.score import Score
from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import BAD_INPUT
from genviz.files import prepare_folder
from genviz.images.given import readable
from genviz.images.pictures import UNREADABLE, read_picture, write_png
from genviz.interfaces import Layer
from genviz.retrieval.features import CALLED, FEATURES, Features, Kept, called_in, feature_layer, look, see
from genviz.retrieval.generated import generated
from genviz.retrieval.nearest import nearest
from genviz.targets.grammar import Target, parse_target
from genviz.training.signals import EndedError

_THUMBNAIL = 192  # shorter side, in pixels


def strongest_filters(
    config: DictConfig, classifier: FrozenClassifier, target: Target, image: Tensor, layer: Layer | None, folder: Path
) -> list[dict[str, Any]]:
    """The configured number of the layer's filters that contribute most to ``target`` in ``image`` (1, 3, h, w).

    Each is shown by the picture that is generated for it, copied to ``folder``; None if it could not be made.

    Raises:
        UserError: the layer has no positions, or the target does not depend on it.
        EndedError: a signal has ended the training of one.
    """
    if config.filters == 0:
        return []
    shares = contributions(Score(classifier, target), image, layer)[0].cpu()
    assert layer is not None
    whole = float(shares.clamp_min(0).sum()) or 1.0
    told = []
    own = copy.deepcopy(config)
    own.image = None  # the run is that of the filter alone
    for number in shares.argsort(descending=True, stable=True)[: config.filters].tolist():
        wanted = parse_target(f"filter:{layer.name}:{number}", classifier.outline.labels, classifier.outline.layers)
        code, picture = generated(own, wanted)
        if code > BAD_INPUT:
            raise EndedError(signal.Signals(code - 128))
        kept = None if code or not picture.exists() else _kept(picture, folder, f"filter-{number}.png", None)
        told.append({"filter": number, "share": float(shares[number]) / whole, "file": kept})
    return told


def neighbours(
    config: DictConfig, classifier: FrozenClassifier, image: Tensor, folder: Path, known: dict[str, Features]
) -> dict[str, Any] | None:
    """The pictures of the configured folder that are nearest to ``image`` (1, 3, h, w); None without a folder.

    Args:
        known: keeps what was seen in the folder from one picture to the next.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    if config.data is None:
        return None
    kept = Kept(feature_layer(classifier.outline, None), "mean")
    if not known:
        cache = Path(config.paths.outputs).expanduser() / "seen"
        known["features"] = look(config.data, classifier, kept, cache=cache)
    features = known["features"]
    numbers, far = nearest(features, see(classifier, image.cpu(), kept)[FEATURES], config.neighbours)
    entries = []
    for place, (number, distance) in enumerate(zip(numbers[0].tolist(), far[0].tolist(), strict=True), 1):
        called = int(features.others[CALLED][number, 0])
        file = _kept(features.root / features.names[number], folder, f"nearest-{place:02}.png", _THUMBNAIL)
        name = readable(features.names[number])
        entries.append(
            {"file": file, "name": name, "distance": distance, "called": called_in(classifier.outline, called)}
        )
    return {"folder": readable(config.data), "pictures": len(features.names), "layer": kept.layer, "nearest": entries}


def _kept(picture: Path, folder: Path, name: str, shorter: int | None) -> str | None:
    """Copy ``picture``, resized to that ``shorter`` side, to ``folder/report``; its path there, None if it is gone."""
    try:
        pixels = read_picture(picture, shorter)
    except UNREADABLE:
        return None
    prepare_folder(folder / "report")
    write_png(folder / "report" / name, pixels.permute(1, 2, 0).contiguous(), quick=True)
    return f"report/{name}"
