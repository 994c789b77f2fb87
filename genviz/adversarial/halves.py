"""A folder of pictures in two halves: one to make something of, one to try it on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.images.folders import apart, find_pictures
from genviz.images.pictures import UNREADABLE, display, read_picture, resize

_DIGEST = 16  # bytes


class Half(NamedTuple):
    """Some pictures of a folder."""

    names: list[str]
    """Their paths below the folder."""

    images: Tensor
    """Bytes (n, 3, h, w), resized."""

    @property
    def digest(self) -> str:
        """Of the pixels, in order."""
        return hashlib.sha256(self.images.numpy().tobytes()).hexdigest()


class Halves(NamedTuple):
    """A folder's pictures; no two are the same."""

    used: Half
    held_out: Half

    damaged: list[str]
    """Those that cannot be decoded."""

    repeated: list[str]
    """Those with the same pixels as one before, which are left out: one half must not know the other."""


def halves(folder: str, size: tuple[int, int]) -> Halves:
    """Read the pictures in ``folder`` and its subfolders, resized to ``size`` (rows, columns), rounded to bytes.

    Of the sound and distinct ones, in the order of their names, the first, third, fifth, … are used, the others held
    out.

    Raises:
        UserError: there are not two.
    """
    root, paths = apart(folder)[0], find_pictures(folder, "data").pictures
    names = [str(path.relative_to(root)) for path in paths]
    kept: list[tuple[str, Tensor]] = []
    known: set[bytes] = set()
    damaged, repeated = [], []
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="genviz-reader") as threads:
        made = threads.map(lambda path: _read(path, size), paths)
        for name, image in zip(tqdm(names, "reading", unit="picture", delay=2, leave=False), made, strict=True):
            if image is None:
                damaged.append(name)
                continue
            digest = hashlib.blake2b(image.numpy().tobytes(), digest_size=_DIGEST).digest()
            if digest in known:
                repeated.append(name)
                continue
            known.add(digest)
            kept.append((name, image))
    if len(kept) < 2:
        raise UserError(
            f"data={folder}: {len(kept)} of {len(paths)} pictures can be used; one is for making the perturbation, "
            "another for trying it"
        )
    return Halves(_half(kept[::2]), _half(kept[1::2]), damaged, repeated)


def _half(pictures: Sequence[tuple[str, Tensor]]) -> Half:
    return Half([name for name, _ in pictures], torch.stack([image for _, image in pictures]))


def _read(path: Path, size: tuple[int, int]) -> Tensor | None:
    """A picture's bytes (3, h, w); None if it is damaged."""
    try:
        image = resize(read_picture(path)[None].float() / 255, size)
    except UNREADABLE:
        return None
    return display(image[0]).permute(2, 0, 1).contiguous()
