"""What a classifier sees in each picture of a folder, computed once and kept."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from genviz.classifiers.tracing.taps import INPUT
from genviz.errors import UserError
from genviz.images.folders import apart, find_pictures
from genviz.images.given import readable
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.retrieval.store import Column, Key, Store, key_of, rows_of
from genviz.retrieval.stream import stream
from genviz.targets.layers import NoSuchLayerError, find_filters

Pooling = Literal["mean", "none"]
"""What becomes of a layer's positions: their mean, or each kept."""

FEATURES, CALLED = "features", "called"
_PATIENCE = 2.0  # seconds before a progress bar is shown
_ROWS, _NUMBERS = 8192, 2**26  # of features that are in memory at once


class Features(NamedTuple):
    """The pictures of a folder that can be decoded, as a classifier sees them."""

    root: Path
    names: list[str]
    """Each picture's path below the root."""
    stored: np.ndarray
    """Features of these and other pictures, (rows, width), float16 as a rule, mapped into memory."""
    rows: np.ndarray
    """Each picture's row of them, (n,)."""
    others: dict[str, np.ndarray]
    """More of each picture, by name, (n, ...): its class scores, or the class with the highest."""
    damaged: list[str]
    """Those that cannot be decoded."""

    def chunks(self, count: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """The features, float32, so many pictures at a time, each with the number of its first picture.

        Args:
            count: None: 8,192, or of wide features those that fill 256 MiB.

        Raises:
            UserError: a picture's are not finite.
        """
        count = count or max(1, min(_ROWS, _NUMBERS // self.stored.shape[1]))
        for first in range(0, len(self.rows), count):
            rows = self.rows[first : first + count]
            whole = len(rows) and rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all())
            chunk = self.stored[rows[0] : rows[-1] + 1] if whole else self.stored[rows]
            if not np.isfinite(chunk).all():
                odd = first + int(np.flatnonzero(~np.isfinite(chunk).all(1))[0])
                raise UserError(f"the features of {readable(self.names[odd])} are not finite; choose another layer")
            yield first, np.asarray(chunk, np.float32)

    def matrix(self) -> np.ndarray:
        """All of them in memory, (n, width), float32."""
        return np.concatenate([chunk for _, chunk in self.chunks()])


class Kept(NamedTuple):
    """How features are computed and kept."""

    layer: str
    pooling: Pooling = "mean"
    kind: str = "float16"
    scores: bool = False
    """Whether to keep all class scores, float32, instead of the highest one's class."""
    setting: str = "data"
    """The folder's on the command line."""

    def columns(self, outline: Outline, width: int) -> dict[str, Column]:
        """Those of the store."""
        more = {SCORES: Column(len(outline.labels), "float32")} if self.scores else {CALLED: Column(1, "int32")}
        return {FEATURES: Column(width, self.kind)} | more


def called_in(outline: Outline, number: int) -> str:
    """The label of the class that a picture is called; '' by a network without classes."""
    return outline.labels[number] if outline.labels else ""


def feature_layer(outline: Outline, name: str | None = None) -> str:
    """The name of a classifier's features: the input of its class head, its last layer without classes, or ``name``.

    Raises:
        UserError: there is no such layer.
    """
    last = outline.layers[-2:][0] if outline.labels else outline.layers[-1]
    own = outline.head + INPUT if outline.head else last.name
    if name is None or name == own:
        return own
    try:
        return find_filters(name, outline.layers).name
    except NoSuchLayerError as error:
        raise UserError(f"{error}; without a name it is {own}, the input of the class scores") from None


def pooled(activation: Tensor, pooling: Pooling = "mean") -> Tensor:
    """A layer's activation (n, c, ...), averaged over its positions, (n, c), or with them, (n, c * positions)."""
    if pooling == "none":
        return activation.flatten(1)
    return activation.flatten(2).mean(2) if activation.ndim > 2 else activation


def usual_batch(classifier: Classifier) -> int:
    """How many pictures the network sees at once."""
    return 64 if classifier.device.type == "cuda" else 16


@torch.no_grad()
def see(classifier: Classifier, images: Tensor, kept: Kept, at_once: int | None = None) -> dict[str, np.ndarray]:
    """The columns of ``images`` (n, 3, h, w), as they are kept: (n, width) each.

    A network's last digits depend on how many pictures it sees at once, so they are always ``at_once``.
    """
    count, at_once = len(images), at_once or usual_batch(classifier)
    batch = torch.cat([images, images[-1:].expand(-count % at_once, -1, -1, -1)]).to(classifier.device)
    seen = [classifier(some, list(dict.fromkeys((kept.layer, SCORES)))) for some in batch.split(at_once)]
    found = pooled(torch.cat([some[kept.layer] for some in seen]), kept.pooling)[:count].float().cpu().numpy()
    scores = pooled(torch.cat([some[SCORES] for some in seen]))[:count].float().cpu()
    if kept.kind == "float16":
        most = np.finfo(np.float16).max
        found = found.clip(-most, most)
    if not kept.scores:
        called = scores.argmax(1, keepdim=True) if scores.shape[1] else torch.full((count, 1), -1)
        return {FEATURES: found.astype(kept.kind), CALLED: called.numpy()}
    more = {SCORES: scores.numpy()}
    return {FEATURES: found.astype(kept.kind)} | more


def look(
    folder: str | Path,
    classifier: Classifier,
    kept: Kept,
    *,
    cache: Path | None = None,
    at_once: int | None = None,
) -> Features:
    """Look at every picture below ``folder`` that has not been looked at; damaged ones are named and skipped.

    Args:
        cache: a folder for what was seen, which each picture adds to once; None: it is not kept.
        at_once: pictures that the network sees at once; None: 16, on a GPU 64.

    Raises:
        UserError: there is no such folder, or no picture in it that can be decoded.
    """
    root, _ = apart(folder)
    keys = {path: key_of(path) for path in find_pictures(folder, kept.setting).pictures}
    at_once = at_once or usual_batch(classifier)
    with TemporaryDirectory(prefix="genviz-") as temporary:  # what is mapped outlives its name
        what = [identity_of(classifier), kept.layer, kept.pooling, kept.kind, kept.scores]
        place = (Path(temporary) if cache is None else cache) / _digest(json.dumps(what))
        grey = torch.full((1, 3, *classifier.outline.input_size), 0.5)
        columns = kept.columns(classifier.outline, see(classifier, grey, kept, at_once=1)[FEATURES].shape[1])
        with Store(place, columns) as store:
            missing = {path: key for path, key in keys.items() if key not in store.places}
            damaged = _add(store, missing, classifier, kept, at_once, f"looking at {readable(root)}")
            store.flush()
            stored = {name: store.column(name) for name in columns}
            known = [path for path, key in keys.items() if key in store.places]
            rows = rows_of(store.places, map(keys.__getitem__, known))
    for path in damaged:
        print(f"left out: {readable(path)} cannot be decoded", file=sys.stderr, flush=True)
    if not known:
        raise UserError(f"{kept.setting}={folder}: none of its {len(keys)} pictures can be decoded")
    others = {name: np.asarray(column[rows]) for name, column in stored.items() if name != FEATURES}
    names, left_out = ([str(path.relative_to(root)) for path in paths] for paths in (known, damaged))
    return Features(root, names, stored[FEATURES], rows, others, left_out)


def _add(
    store: Store, missing: Mapping[Path, Key], classifier: Classifier, kept: Kept, at_once: int, told: str
) -> list[Path]:
    """Look at the pictures ``missing`` from the store; return those that cannot be decoded."""
    paths, damaged = list(missing), []
    with tqdm(total=len(paths), desc=told, unit="picture", delay=_PATIENCE, dynamic_ncols=True) as bar:
        for some in stream(paths, classifier.outline.input_size, at_once):
            damaged += [paths[row] for row in some.damaged]
            if some.rows:
                store.add([missing[paths[row]] for row in some.rows], see(classifier, some.images, kept, at_once))
            bar.update(len(some.rows) + len(some.damaged))
    return damaged


def identity_of(classifier: Classifier) -> str:
    """A digest of what decides a classifier's output: weights, input, settings; 16 hexadecimal digits."""
    space = getattr(classifier, "input_space", None)
    numbers = (
        [] if space is None else [space.channels, *space.factor.flatten().tolist(), *space.offset.flatten().tolist()]
    )
    outline = classifier.outline
    facts = (classifier.weights_sha256, getattr(classifier, "architecture", ""), outline.input_size, outline.resizes)
    return _digest(json.dumps([*facts, *numbers, classifier.built_from], sort_keys=True, default=str))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
