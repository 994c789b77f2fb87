"""The mean magnitude spectrum of natural images, and its file."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.files import atomic_write, facts_in, metadata_of
from genviz.images.pictures import COLOUR_CORRELATION, UNREADABLE, read_picture

SIZE = 256
"""Rows and columns of the measured crops, in pixels."""
_FORMAT, _TENSOR = "genviz.spectrum.1", "magnitude"
_GREY = 0.5  # sigmoid(0)
_PATIENCE = 2.0  # seconds before a progress bar is shown


class Measured(NamedTuple):
    """A measured spectrum."""

    magnitude: Tensor
    """(3, size, size // 2 + 1), of the orthonormal transform in decorrelated colours; column frequencies from 0 up."""
    pictures: int
    """How many pictures were averaged."""
    left_out: int
    """How many are too small, or cannot be decoded."""


def colours() -> Tensor:
    """C, (3, 3), which gives decorrelated colours natural images' correlation: RGB = C s (Olah et al. 2017, lucid)."""
    matrix = torch.tensor(COLOUR_CORRELATION)
    return matrix / matrix.norm(dim=0).max()


def measure(paths: Sequence[Path], size: int = SIZE) -> Measured:
    """The mean of |F(C^-1 (x - 1/2))| over the centre crops x of pictures, RGB in [0, 1], ``size`` by ``size`` pixels.

    A picture is shrunk until its shorter side is ``size``; smaller ones, which would have to be enlarged, are left out.

    Raises:
        UserError: the size is invalid, or no picture is large enough.
    """
    if size < 8 or size % 2:
        raise UserError(
            f"a spectrum cannot have {size} x {size} pixels; give an even number, 8 or more, such as {SIZE}"
        )
    decorrelate = colours().double().inverse()
    total, count = torch.zeros(3, size, size // 2 + 1, dtype=torch.float64), 0
    for path in tqdm(paths, desc="measuring", unit="picture", delay=_PATIENCE, dynamic_ncols=True):
        try:
            picture = read_picture(path, size)
        except UNREADABLE:
            name = str(path).encode(errors="backslashreplace").decode()
            print(f"left out: {name} cannot be decoded", file=sys.stderr, flush=True)
            continue
        rows, columns = picture.shape[1:]
        if min(rows, columns) < size:
            continue
        top, left = (rows - size) // 2, (columns - size) // 2
        middle = picture[:, top : top + size, left : left + size].double() / 255 - _GREY
        values = torch.einsum("cr,rhw->chw", decorrelate, middle)
        total += torch.fft.rfft2(values, norm="ortho").abs()
        count += 1
    if count == 0:
        raise UserError(
            f"none of the {len(paths)} pictures has {size} x {size} pixels or more; give others, or a smaller --size"
        )
    return Measured((total / count).float(), count, len(paths) - count)


def at_size(magnitude: Tensor, size: tuple[int, int]) -> Tensor:
    """A spectrum for images of another size, (3, rows, columns // 2 + 1).

    A larger image is a larger crop of the same scene, not the scene enlarged: a frequency in cycles per pixel keeps its
    strength. Between known frequencies, magnitude times frequency, which is flat in natural images, is interpolated
    linearly; below the lowest it is constant. The mean colour, frequency 0, grows with the square root of the area.

    Args:
        magnitude: (3, side, side // 2 + 1) of an even side, as `measure` returns it.
        size: rows and columns, in pixels.
    """
    side = magnitude.shape[1]
    flat = magnitude * _frequencies(side, side)
    flat[:, 0, 0] = (flat[:, 1, 0] + flat[:, -1, 0] + flat[:, 0, 1]) / 3  # at frequency 0 the product is 0
    flat = flat.roll(side // 2, 1)  # rows from -1/2 up
    flat = torch.cat([flat, flat[:, :1]], 1)  # to 1/2, which is -1/2
    rows, columns = torch.fft.fftfreq(size[0]), torch.fft.rfftfreq(size[1])
    places = torch.stack(torch.broadcast_tensors(4 * columns[None] - 1, 2 * rows[:, None]), -1)  # both from -1 to 1
    known = F.grid_sample(flat[None], places[None], padding_mode="border", align_corners=True)[0]
    frequencies = _frequencies(*size)
    frequencies[0, 0] = 1.0
    found = known / frequencies
    found[:, 0, 0] = magnitude[:, 0, 0] * (size[0] * size[1]) ** 0.5 / side
    return found


def _frequencies(rows: int, columns: int) -> Tensor:
    """Frequencies in cycles per pixel, (rows, columns // 2 + 1)."""
    return torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None])


def write(path: Path, measured: Measured, of: str) -> None:
    """Write a spectrum in half precision; ``path`` is replaced atomically.

    Args:
        of: what was measured; stored in the metadata.
    """
    magnitude = measured.magnitude.half().contiguous()
    side = magnitude.shape[1]
    metadata = {
        "format": _FORMAT,
        "sha256": _digest(magnitude),
        "of": of,
        "pictures": measured.pictures,
        "how": f"mean of |rfft2(inverse(C) (x - 0.5), ortho)|, x the middle {side} x {side} pixels, RGB in [0, 1]",
        "C": colours().tolist(),
    }
    with atomic_write(path) as file:
        file.write(save({_TENSOR: magnitude}, metadata_of(metadata)))


def read(path: Path) -> tuple[Tensor, str]:
    """The spectrum in ``path``, (3, side, side // 2 + 1), and its digest.

    Raises:
        UserError: there is no such file, it is damaged, or it is not a genviz spectrum.
    """
    wanted = read_digest(path)
    try:
        magnitude = load_file(path)[_TENSOR]
        if magnitude.ndim != 3 or (side := magnitude.shape[1]) % 2 or magnitude.shape != (3, side, side // 2 + 1):
            raise ValueError(f"its shape is {tuple(magnitude.shape)}")
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise _none_of_ours(path, error) from error
    if _digest(magnitude) != wanted:
        raise UserError(f"{path} is damaged: its values do not match their digest; get it again")
    return magnitude.float(), wanted


def read_digest(path: Path) -> str:
    """The digest recorded in ``path``.

    Raises:
        UserError: there is no such file, or it is not a genviz spectrum.
    """
    if not path.is_file():
        raise UserError(f"there is no spectrum {path}; generator.weights takes default, or a file from {_COMMAND}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = facts_in(file.metadata())
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"its format is {metadata.get('format')}, not {_FORMAT}")
        return str(metadata["sha256"])
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise _none_of_ours(path, error) from error


_COMMAND = "genviz spectrum"


def _none_of_ours(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is not a spectrum ({str(error).strip().splitlines()[0][:120]}); {_COMMAND} writes them")


def _digest(magnitude: Tensor) -> str:
    """SHA-256 over type, shape and values."""
    facts = f"{magnitude.dtype} {list(magnitude.shape)}\n".encode()
    return hashlib.sha256(facts + magnitude.contiguous().numpy().tobytes()).hexdigest()
