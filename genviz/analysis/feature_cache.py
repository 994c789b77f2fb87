"""What a classifier sees in each picture of a folder: features and class scores, cached on disk."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm.auto import tqdm

from genviz.classifiers.tracing.taps import INPUT
from genviz.errors import UserError
from genviz.files import atomic_write
from genviz.images.folders import find_pictures
from genviz.images.pictures import UNREADABLE, read_picture, resize
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.targets.layers import find_filters

_AT_ONCE = 16
_PATIENCE = 2.0  # seconds before a progress bar is shown
_KEEP_EVERY = 60.0  # seconds between two writes of the cache


class Gallery(NamedTuple):
    """The pictures of a folder that can be decoded, as a classifier sees them."""

    root: Path
    names: list[str]
    """Each picture's path below the root."""
    features: Tensor
    """(n, channels): the input of the class head, or the layer asked for, averaged over positions."""
    scores: Tensor
    """(n, classes), before any softmax."""
    damaged: list[str]
    """Those that cannot be decoded."""


class _Key(NamedTuple):
    """What identifies a picture in the cache."""

    name: str
    size: int
    changed: int


def feature_layer(outline: Outline, name: str | None = None) -> str:
    """The name of a classifier's features: the input of its class head, or the layer ``name``.

    Raises:
        UserError: there is no such layer.
    """
    if name is not None:
        return find_filters(name, outline.layers).name
    return outline.head + INPUT if outline.head else outline.layers[-2:][0].name


def pooled(activation: Tensor) -> Tensor:
    """A layer's activation (n, c, ...), averaged over its positions, (n, c)."""
    return activation.flatten(2).mean(2) if activation.ndim > 2 else activation


def readable(path: Path | str) -> str:
    """A path in printable form, as a name need not be UTF-8."""
    return str(path).encode(errors="backslashreplace").decode()


def load(path: Path, classifier: Classifier) -> Tensor:
    """The picture ``path``, upright, at the input size of ``classifier``: RGB in [0, 1], (1, 3, h, w).

    Raises:
        OSError: or another of `genviz.images.pictures.UNREADABLE`: it cannot be decoded.
    """
    return resize(read_picture(path)[None].float() / 255, classifier.outline.input_size)


@torch.no_grad()
def look_through(
    folder: str | Path,
    classifier: Classifier,
    *,
    features: str | None = None,
    cache: Path | None = None,
    at_once: int = _AT_ONCE,
) -> Gallery:
    """Classify every picture below ``folder``, ``at_once`` of them at a time; damaged ones are named and skipped.

    Args:
        features: the layer whose channels are the features; None: the input of the class head.
        cache: a folder for the results, so that each picture is classified only once; None: no cache.

    Raises:
        UserError: there is no such folder, no picture in it that can be decoded, or no such layer.
    """
    root = Path(folder).expanduser()
    layer = feature_layer(classifier.outline, features)
    keys = [_key(path, root) for path in find_pictures(folder, "pictures").pictures]
    file = (
        None if cache is None else cache / f"{_seen_by(classifier, layer)}-{_digest(str(root.resolve()))}.safetensors"
    )
    seen = {} if file is None else _read(file, set(keys))
    device = classifier.device
    missing = [key for key in keys if key not in seen]
    damaged: list[str] = []
    kept = time.monotonic()
    with tqdm(
        total=len(missing), desc=f"looking at {readable(root)}", unit="picture", delay=_PATIENCE, dynamic_ncols=True
    ) as bar:
        for chunk, images in _batches(missing, root, classifier, at_once, damaged, bar):
            found = classifier(images.to(device), list(dict.fromkeys((layer, SCORES))))
            rows = zip(pooled(found[layer]).float().cpu(), pooled(found[SCORES]).float().cpu(), strict=True)
            seen |= dict(zip(chunk, rows, strict=True))
            if file is not None and time.monotonic() - kept > _KEEP_EVERY:
                _write(file, seen)
                kept = time.monotonic()
    if file is not None and any(key in seen for key in missing):
        _write(file, seen)
    for name in damaged:
        print(f"left out: {readable(root / name)} cannot be decoded", file=sys.stderr, flush=True)
    if not seen:
        raise UserError(f"pictures={folder}: none of its {len(keys)} pictures can be decoded")
    known = [key for key in keys if key in seen]
    return Gallery(
        root,
        [key.name for key in known],
        torch.stack([seen[key][0] for key in known]),
        torch.stack([seen[key][1] for key in known]),
        damaged,
    )


def _batches(
    keys: Sequence[_Key], root: Path, classifier: Classifier, at_once: int, damaged: list[str], bar: tqdm[Any]
) -> Iterator[tuple[list[_Key], Tensor]]:
    """The pictures that can be decoded, ``at_once`` of them at a time; the others are noted in ``damaged``."""
    for first in range(0, len(keys), at_once):
        chunk, images = [], []
        for key in keys[first : first + at_once]:
            try:
                images.append(load(root / key.name, classifier))
                chunk.append(key)
            except UNREADABLE:
                damaged.append(key.name)
            bar.update()
        if chunk:
            yield chunk, torch.cat(images)


def _key(path: Path, root: Path) -> _Key:
    facts = path.stat()
    return _Key(str(path.relative_to(root)), facts.st_size, facts.st_mtime_ns)


def identity_of(classifier: Classifier) -> str:
    """A digest of what decides a classifier's output: weights, input space and size; 16 hexadecimal digits."""
    space = getattr(classifier, "input_space", None)
    numbers = (
        [] if space is None else [space.channels, *space.factor.flatten().tolist(), *space.offset.flatten().tolist()]
    )
    outline = classifier.outline
    facts = (classifier.weights_sha256, getattr(classifier, "architecture", ""), outline.input_size, outline.resizes)
    return _digest(json.dumps([*facts, *numbers]))


def _seen_by(classifier: Classifier, layer: str) -> str:
    return _digest(f"{identity_of(classifier)} {layer}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def _read(file: Path, wanted: set[_Key]) -> dict[_Key, tuple[Tensor, Tensor]]:
    """The cached results of the ``wanted`` pictures; none if the file is damaged or missing."""
    if not file.is_file():
        return {}
    try:
        with safe_open(file, framework="pt") as opened:
            keys = [_Key(*key) for key in json.loads((opened.metadata() or {})["pictures"])]
            rows = list(zip(opened.get_tensor("features"), opened.get_tensor("scores"), strict=True))
        return {key: row for key, row in zip(keys, rows, strict=True) if key in wanted}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return {}


def _write(file: Path, seen: dict[_Key, tuple[Tensor, Tensor]]) -> None:
    tensors = {
        name: torch.stack([row[place] for row in seen.values()]) for place, name in enumerate(("features", "scores"))
    }
    with atomic_write(file) as opened:
        opened.write(save(tensors, {"pictures": json.dumps(list(seen))}))
