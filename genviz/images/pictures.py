"""Pictures: value ranges and colours, reading and writing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, PngImagePlugin
from torch import Tensor

from genviz.errors import UserError
from genviz.files import atomic_write, check_file
from genviz.images.displays import Display
from genviz.images.folders import expanded

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of natural images, RGB in [0, 1], as torchvision's models use them."""

MEAN_COLOUR = (123.0, 117.0, 104.0)
"""ImageNet's mean (Caffe's): red, green, blue, in 0-255."""

COLOUR_CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the covariance of natural images' colours, RGB (Olah et al. 2017, lucid)."""

UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, SyntaxError, struct.error, zlib.error),
    Image.DecompressionBombError,
)
"""What Pillow raises for damaged pictures."""


def display(image: Tensor, how: Display = "rgb") -> Tensor:
    """Map an image (3, h, w), or several, to (h, w, 3) bytes, each separately, where they are.

    ``rgb`` is what the classifier saw, clipped to [0, 1]; ``despraz`` is how Despraz et al.'s code shows the untrained
    generator: minus the minimum, square root, divided by the maximum; ``stretch`` is from Mahendran & Vedaldi's (2016)
    code: minimum to maximum; ``chollet`` (2016): x, in 0-255 minus the mean colour, minus its mean, divided by its
    standard deviation, times 0.1, plus 0.5.
    """
    image = image.detach().float()
    if how == "chollet":
        image = centred(image)
        mean, deviation = image.mean((-3, -2, -1), keepdim=True), image.std((-3, -2, -1), correction=0, keepdim=True)
        image = (image - mean) / (deviation + 1e-5) * 0.1 + 0.5
    elif how != "rgb":
        image = image - image.amin((-3, -2, -1), keepdim=True)
        image = image.sqrt() if how == "despraz" else image
        image = image / image.amax((-3, -2, -1), keepdim=True).clamp_min(torch.finfo(image.dtype).tiny)
    return (image.clamp(0, 1) * 255).round().to(torch.uint8).movedim(-3, -1)


def side_by_side(pictures: Tensor) -> Tensor:
    """Pictures (n, h, w, 3) in a row, (h, n w, 3)."""
    return torch.cat(list(pictures), 1)


def centred(images: Tensor) -> Tensor:
    """RGB in [0, 1], (n, 3, h, w), as the papers' x: 0-255 minus the mean colour."""
    return 255 * images - colour(MEAN_COLOUR, images)


def colour(rgb: tuple[float, float, float], like: Tensor) -> Tensor:
    """Three numbers, one for each channel, (3, 1, 1), where ``like`` is and of its type; copied there only once."""
    return _colour(rgb, like.dtype, like.device)


@lru_cache(maxsize=32)
def _colour(rgb: tuple[float, float, float], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # inference tensors cannot be trained through
        return torch.tensor(rgb).to(device, dtype).view(3, 1, 1)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize images (n, 3, h, w) to ``size``, rows and columns, bilinear and antialiased."""
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


def write_png(path: Path, pixels: Tensor, text: Mapping[str, str] | None = None, *, quick: bool = False) -> None:
    """Write bytes (h, w, 3) as a PNG, atomically, with ``text`` as its metadata; ``quick``: faster, but larger."""
    metadata = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        metadata.add_itxt(key, value)
    with atomic_write(path, durable=not quick) as file:
        how = {"compress_level": 1, "compress_type": zlib.Z_RLE} if quick else {"compress_level": 6}
        Image.fromarray(pixels.cpu().numpy()).save(file, format="PNG", pnginfo=metadata, **how)


def read_image(path: Path) -> Tensor:
    """Read a picture as RGB in [0, 1], (1, 3, h, w).

    Raises:
        UserError: the file is missing or not a picture.
    """
    try:
        with Image.open(expanded(path)) as image:
            pixels = np.array(image.convert("RGB"))
    except UNREADABLE as error:
        raise UserError(f"cannot read the picture {path} ({error})") from error
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def read_sound(path: Path) -> Tensor | None:
    """Read a picture as bytes (h, w, 3) after verifying its checksums; None if it is damaged."""
    try:
        with Image.open(check_file(path)) as image:
            image.verify()  # Pillow's decoder does not
        with Image.open(path) as image:
            return torch.from_numpy(np.array(image.convert("RGB")))
    except UNREADABLE:
        return None


def read_picture(path: Path, shorter: int | None = None) -> Tensor:
    """Decode a picture to RGB bytes, (3, h, w), upright, and shrink it until its shorter side is ``shorter`` pixels.

    Grey, palette and CMYK become RGB; transparency becomes white.

    Raises:
        OSError: it cannot be decoded.
    """
    with Image.open(path) as opened:
        if shorter is not None:
            opened.draft("RGB", (shorter, shorter))  # JPEG: decode no larger than needed
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith(("I", "F")):  # Pillow would clip values above 255
            image = Image.fromarray(_bytes(np.asarray(image), wide=image.mode.startswith("I;16")))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
    scale = 1.0 if shorter is None else shorter / min(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _bytes(values: np.ndarray, *, wide: bool) -> np.ndarray:
    """Grey values as bytes: of 16 bits; or of more, or floating, in [0, 1], 0-255 or 0-65535.

    Floating ones below 2 are in [0, 1], with what a filter or a renderer adds at the bright end.

    Raises:
        ValueError: they are in none of these ranges.
    """
    if wide:
        return (values >> 8).astype(np.uint8)
    low, high = values.min(), values.max()
    if not (np.isfinite(values).all() and 0 <= low <= high < 65536):
        raise ValueError(f"its values are from {low:.4g} to {high:.4g}, not in 0-1, 0-255 or 0-65535")
    if high < 2 and values.dtype.kind == "f":
        return (values.clip(max=1) * 255 + 0.5).astype(np.uint8)
    return (values * (1 / 256 if high > 255 else 1)).astype(np.uint8)


def read_upright(path: Path) -> Tensor:
    """Read a picture of any kind as RGB in [0, 1], (1, 3, h, w), upright.

    Raises:
        UserError: there is no such file, or it cannot be decoded.
    """
    try:
        return read_picture(path)[None].float() / 255
    except UNREADABLE as error:
        why = (
            "there is no such file"
            if isinstance(error, FileNotFoundError)
            else (getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0])
        )
        raise UserError(f"cannot read the picture {path} ({why}); give a JPEG, PNG, WebP or BMP") from error
