"""Pictures of a folder, decoded once and kept as bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.images.given import readable
from genviz.images.pictures import UNREADABLE, display, read_picture, resize


class Decoded(NamedTuple):
    """Some pictures, all of one size."""

    pixels: Tensor
    """RGB bytes, (n, 3, h, w)."""
    paths: tuple[Path, ...]
    """Their files; those that cannot be decoded are left out."""


def decode(paths: Sequence[Path], size: tuple[int, int]) -> Decoded:
    """Decode pictures, resized to ``size``, rows and columns. A line tells of each that cannot be decoded.

    Raises:
        UserError: none can be.
    """

    def read(path: Path) -> Tensor | None:
        try:
            return display(resize(read_picture(path)[None].float() / 255, size)[0]).permute(2, 0, 1)
        except UNREADABLE:
            return None

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="genviz-reader") as threads:
        told = tqdm(threads.map(read, paths), "reading", len(paths), unit="picture", delay=2.0, leave=False)
        found = list(zip(paths, told, strict=True))
    for path, pixels in found:
        if pixels is None:
            tqdm.write(f"left out: {readable(path)} cannot be decoded", file=sys.stderr)
    sound = [(path, pixels) for path, pixels in found if pixels is not None]
    if not sound:
        raise UserError(
            f"none of the {len(paths)} pictures can be decoded, such as {readable(paths[0])}; give intact ones"
        )
    return Decoded(torch.stack([pixels for _, pixels in sound]), tuple(path for path, _ in sound))


def decoded(paths: Sequence[Path], size: tuple[int, int]) -> Decoded:
    """What `decode` returns; the last calls' pictures are kept."""
    return _kept(tuple(paths), (int(size[0]), int(size[1])))


_kept = lru_cache(maxsize=2)(decode)  # of training, and held out
