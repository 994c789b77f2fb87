"""Eight ways in which a file can be damaged, and how to be refused one as root."""

import ctypes
import os
import random
import shutil
from contextlib import contextmanager

KEPT = "kept.txt"
"""What a folder in a file's place holds."""


def damage(path, way, seed=0):
    """Do one of eight things to a file; return bytes that must not be lost, if any."""
    data = bytearray(path.read_bytes())
    if way == "flipped":
        draw = random.Random(f"{seed} {path.name}")
        for _ in range(max(8, len(data) // 200)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data)
        return bytes(data)
    if way == "truncated":
        path.write_bytes(data[: len(data) * 2 // 3])
    elif way == "emptied":
        path.write_bytes(b"")
    elif way == "unreadable":
        path.chmod(0)
        return bytes(data)
    else:
        path.unlink()
        if way == "pipe":
            os.mkfifo(path)
        elif way == "broken link":
            path.symlink_to("/proc/none/nowhere")
        elif way == "folder":
            path.mkdir()
            (path / KEPT).write_text(str(path))
            return str(path).encode()
    return None


WAYS = ("flipped", "truncated", "emptied", "unreadable", "folder", "deleted", "pipe", "broken link")


def everything(folder):
    """The contents of all files in a folder."""
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def refusable():
    """Let the kernel refuse this process what a file's mode does not allow, even if it is root's."""
    if os.geteuid() != 0:
        yield
        return
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, sets) == 0
    before = sets[0]
    sets[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0


def copied(source, to):
    shutil.copytree(source, to, dirs_exist_ok=True)
