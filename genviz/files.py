"""Files that are whole or not there."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from genviz.errors import CannotWriteError

_UNFINISHED = ".unfinished"


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that takes ``path``'s place when the block ends, and leaves no trace if it raises.

    Args:
        durable: wait until the disk has it, so that a power cut loses neither the old file nor the new.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise CannotWriteError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically, UTF-8."""
    with atomic_write(path) as file:
        file.write(text.encode())


def sha256(path: Path) -> str:
    """The file's SHA-256, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_torch_file(path: Path, *, mapped: bool = False) -> Any:
    """Load what torch saved, without executing code in it, and only if every byte is as it was written.

    Args:
        mapped: leave the tensors on the disk until they are looked at, and do not look whether a byte has changed.

    Raises:
        ValueError: the file is damaged, or holds more than tensors and plain data; the message is one line.
    """
    import torch  # takes seconds, which most that is done with files does without

    try:
        archived = zipfile.is_zipfile(path)
        if archived and not mapped:  # torch does not compare the checksums
            with zipfile.ZipFile(path) as archive:
                if (record := archive.testzip()) is not None:
                    raise ValueError(f"the checksum of {record} is wrong")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and archived)
    except Exception as error:  # a damaged pickle can end in any
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:100]
        raise ValueError(why) from error


def prepare_folder(folder: Path) -> None:
    """Make ``folder``, see that it can be written to, and clear what a killed `atomic_write` has left there.

    Raises:
        UserError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for leftover in folder.glob(f".*{_UNFINISHED}"):
            leftover.unlink()
    except OSError as error:
        raise CannotWriteError(f"cannot write to {folder}: {error.strerror or error}; choose another folder") from error


def set_aside(path: Path) -> Path | None:
    """Rename ``path`` to the first free ``path~N``, so that nothing is lost; None where there is nothing.

    Raises:
        UserError: its folder cannot be written to.
    """
    if not path.exists():
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}~{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise CannotWriteError(f"cannot rename {path}: {error.strerror or error}; choose another folder") from error
    return aside
