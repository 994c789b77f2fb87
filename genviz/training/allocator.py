"""Keep the memory that one update frees for the next."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_TRIM_BYTES = 2**31 - 1  # the most that glibc takes
_MMAP_BYTES = (2**28, 2**25)  # more than VGG16's maps of 16 pictures of 224 x 224 pixels; the most for an older glibc


def keep_freed_memory() -> None:
    """Ask glibc not to return freed memory to the system between updates; do nothing on other C libraries.

    Each update allocates again what the last one freed. By default, glibc returns the top of the heap whenever it
    happens to be free, and every tensor of more than 32 MiB as soon as it is freed; every page then costs a fault. An
    update on a CPU took up to 1.3 times as long with the former, and 1.2 to 1.5 times with the latter (32 boxes of
    MACO, 128 x 128 pixels, in VGG16), which needed 0.8 to 0.9 of the memory.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for size in _MMAP_BYTES:
            if libc.mallopt(_MMAP_THRESHOLD, size):
                break
        libc.mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
