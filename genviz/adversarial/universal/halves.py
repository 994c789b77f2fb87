"""A folder of pictures in two halves: one to make something of, one to try it on."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from torch import Tensor

from genviz.errors import UserError
from genviz.images.decoding import decode
from genviz.images.folders import apart, find_pictures

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
        UserError: there are not two that can be used.
    """
    root, paths = apart(folder)[0], find_pictures(folder, "data").pictures
    read = decode(paths, size)
    names = {path: str(path.relative_to(root)) for path in paths}
    first: dict[bytes, int] = {}
    for number, image in enumerate(read.pixels):
        first.setdefault(hashlib.blake2b(image.numpy().tobytes(), digest_size=_DIGEST).digest(), number)
    if len(first) < 2:
        raise UserError(
            f"data={folder}: only {len(first)} of {len(paths)} pictures can be used; give two or more different ones, "
            "half to make the perturbation with and half to try it on"
        )
    distinct = list(first.values())
    pixels = read.pixels if len(distinct) == len(read.pixels) else read.pixels[distinct]
    own = [names[read.paths[number]] for number in distinct]
    known = set(distinct)
    return Halves(
        Half(own[::2], pixels[::2]),
        Half(own[1::2], pixels[1::2]),
        damaged=sorted(set(names.values()) - {names[path] for path in read.paths}),
        repeated=[names[path] for number, path in enumerate(read.paths) if number not in known],
    )
