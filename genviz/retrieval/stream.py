"""A folder's pictures as a network sees them, decoded ahead while it looks."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.images.pictures import UNREADABLE, read_picture, resize

_AHEAD = 2  # batches


class Pictures(NamedTuple):
    """Some of the pictures."""

    rows: list[int]
    """Which of the paths they are."""
    images: Tensor
    """RGB in [0, 1], (n, 3, h, w)."""
    damaged: list[int]
    """Those before or among them that cannot be decoded."""


def stream(paths: Sequence[Path], size: tuple[int, int], at_once: int) -> Iterator[Pictures]:
    """Decode the pictures ``paths``, resized to ``size`` (rows, columns), ``at_once`` of them at a time, in order.

    Threads decode two batches ahead. The memory does not depend on how many pictures there are. Batches without a
    sound picture have no images, (0, 3, h, w).
    """

    def read(path: Path) -> Tensor | None:
        try:
            return resize(read_picture(path)[None].float() / 255, size)
        except UNREADABLE:
            return None

    chunks = iter([range(first, min(first + at_once, len(paths))) for first in range(0, len(paths), at_once)])
    waiting: deque[tuple[range, list[Future[Tensor | None]]]] = deque()
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="genviz-reader") as threads:

        def submit(count: int) -> None:
            for chunk in islice(chunks, count):
                waiting.append((chunk, [threads.submit(read, paths[row]) for row in chunk]))

        try:
            submit(_AHEAD + 1)
            while waiting:
                chunk, due = waiting.popleft()
                images = [each.result() for each in due]
                submit(1)
                sound = [image for image in images if image is not None]
                yield Pictures(
                    [row for row, image in zip(chunk, images, strict=True) if image is not None],
                    torch.cat(sound) if sound else torch.empty(0, 3, *size),
                    [row for row, image in zip(chunk, images, strict=True) if image is None],
                )
        finally:
            for _, due in waiting:
                for each in due:
                    each.cancel()
