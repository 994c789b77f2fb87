"""Atomic writes, checksums, and the files shipped with genviz."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from genviz.errors import CannotWriteError, DamagedInstallationError, UserError, shown

SHIPPED = {
    "vgg16.safetensors": "4519bf03b9db12067d6d07d6a2260ae90b80fbb203c5edc2bb833fadc83efddf",
    "heads.safetensors": "a90efe0eb160bf68706a0cb634dec2fd0be36e30989a99a6f9e13b66077c5bab",
    "small.safetensors": "2a965ba063f9be4e23c7c8aa5a47db6f2516c880242399057e69b4ff179afe5a",
    "decoder.safetensors": "deae97a1318e7b98f7178455f32df30fafbe69799fa4d7ef840a576eafcbfdaa",
    "spectrum.safetensors": "a648393be6a6154d9a7ee5da5f680cad16f82c48d854bea6d06bfccabe464d95",
    "photographs": "2e7a669974b088379c414943e4214af05f8348f4b0e9382020839bc14dbf1ce7",
}
"""SHA-256 of each file that ships with genviz, and of a folder's pictures in order of name, to detect damage."""

PHOTOGRAPHS = "photographs"
"""Pictures that anyone may use, for what natural pictures have in common."""

_UNFINISHED = ".unfinished"
_KEY = "genviz"  # of metadata


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


_UMASK = _umask()  # once: it can only be read by setting it, for all threads


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that replaces ``path`` when the block ends, and leaves no trace if it raises.

    Args:
        durable: flush to disk first, so that a power cut loses neither the old file nor the new.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            with suppress(OSError):  # a file system without locks
                _lock(file)
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_UMASK)
        if path.is_dir() and not path.is_symlink():
            put_aside(path, "is not a file")
        temporary.replace(path)
    except OSError as error:
        raise CannotWriteError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically, as UTF-8."""
    with atomic_write(path) as file:
        file.write(text.encode())


def short_name(name: str, most: int = 120) -> str:
    """``name``, or if it has more than ``most`` bytes, its beginning and a hash: a file system may stop at 255."""
    whole = name.encode()
    if len(whole) <= most:
        return name
    return f"{whole[: most - 11].decode(errors='ignore')}-{hashlib.sha256(whole).hexdigest()[:10]}"


def metadata_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """``facts`` as the metadata of a ``.safetensors`` file: JSON under one key, as several are in a random order."""
    return {_KEY: json.dumps(facts)}


def facts_in(metadata: Mapping[str, str] | None) -> Any:
    """What `metadata_of` stored, or the ``metadata`` itself if each of its facts has a key of its own.

    Raises:
        ValueError: it is not JSON.
    """
    given = metadata or {}
    return json.loads(given[_KEY]) if _KEY in given else dict(given)


def check_file(path: Path) -> Path:
    """Return ``path`` unless something other than a file is there, such as a pipe, which a reader would wait for.

    Raises:
        OSError: something else is there.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a file", str(path))
    return path


def read_json(path: Path) -> Any:
    """What a JSON file says.

    Raises:
        ValueError: it is missing, unreadable, or no JSON.
    """
    try:
        return json.loads(check_file(path).read_text(encoding="utf-8"))
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from error


def sha256(path: Path, *more: Path) -> str:
    """The SHA-256 of a file, or of several one after the other, as 64 hexadecimal digits.

    Raises:
        OSError: there is no such file.
    """
    digest = hashlib.sha256()
    for each in (path, *more):
        with check_file(each).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def load_torch_file(path: Path, *, mapped: bool = False) -> Any:
    """Load a file of `torch.save` after verifying its checksums, without executing code in it.

    Args:
        mapped: map the file into memory and skip the checksums.

    Raises:
        ValueError: the file is damaged, or holds more than tensors and plain data; the message is one line.
    """
    import torch  # takes seconds, and few callers need it

    try:
        archived = zipfile.is_zipfile(check_file(path))
        if archived and not mapped:  # torch does not verify the checksums
            with zipfile.ZipFile(path) as archive:
                if (record := archive.testzip()) is not None:
                    raise ValueError(f"the checksum of {record} is wrong")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and archived)
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(_why_unreadable(error)) from error


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError) and "weights_only" in str(error):
        return "it holds more than tensors and plain data"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, EOFError | pickle.UnpicklingError) or not str(error).strip():
        return "it is cut off, or not a file of torch.save"
    return shown(str(error).strip().splitlines()[0].partition(". ")[0], 100)


def prepare_folder(folder: Path) -> None:
    """Create ``folder``, check that it is writable, and delete what a killed `atomic_write` left there.

    Raises:
        UserError: it is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        _clear(folder.glob(f".*{_UNFINISHED}"))
    except OSError as error:
        raise CannotWriteError(f"cannot write to {folder}: {error.strerror or error}; choose another folder") from error


def clear_leftovers(path: Path) -> None:
    """Delete what a killed `atomic_write` of ``path`` left there."""
    _clear(path.parent.glob(f".{path.name}.*{_UNFINISHED}"))


def _clear(leftovers: Iterable[Path]) -> None:
    for leftover in leftovers:
        with suppress(FileNotFoundError):
            if not _being_written(leftover):
                leftover.unlink()


def _being_written(unfinished: Path) -> bool:
    """Whether another process has the file locked, or another user has made it."""
    try:
        with unfinished.open("rb") as file:
            _lock(file, shared=True)
    except (BlockingIOError, PermissionError):
        return True
    except FileNotFoundError:
        raise
    except OSError:  # a file system without locks
        pass
    return False


def _lock(file: IO[bytes], *, shared: bool = False) -> None:
    """Lock an open file against other processes until it is closed, or raise BlockingIOError at once."""
    if sys.platform != "win32":  # where a file that is open cannot be deleted
        import fcntl

        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def check_current_folder() -> None:
    """Check that the current folder exists, which not even torch starts without.

    Raises:
        UserError: it has been deleted.
    """
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the current folder has been deleted; go to another one with cd") from error


def set_aside(path: Path) -> Path | None:
    """Rename ``path`` to the first free ``path~N`` and return that; None if ``path`` does not exist.

    Raises:
        UserError: its folder is not writable.
    """
    if not os.path.lexists(path):
        return None
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}~{number}")):
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise CannotWriteError(f"cannot rename {path}: {error.strerror or error}; choose another folder") from error
    return aside


def put_aside(path: Path, why: str) -> None:
    """Rename ``path``, if it exists, and say why: ``is damaged``."""
    if (aside := set_aside(path)) is not None:
        from tqdm.auto import tqdm  # where it is needed: notebooks take a while to tell

        tqdm.write(f"{path} {why}; it is kept as {aside.name}", file=sys.stderr)


def shipped_folder(name: str) -> Path:
    """``configs`` or ``checkpoints``: inside the installed package, or next to it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def shipped(name: str) -> Path:
    """Where the file or folder ``name`` belongs; a damaged installation may lack it."""
    return shipped_folder("checkpoints") / name


@cache
def intact(name: str) -> Path:
    """The file or folder ``name`` that ships with genviz, its hash verified.

    Raises:
        DamagedInstallationError: it is missing or damaged.
    """
    path, wanted = shipped(name), SHIPPED[name]
    files = sorted(path.glob("[!.]*.jpg")) if path.is_dir() else [path] if path.is_file() else []
    if files and sha256(*files) == wanted:
        return path
    is_ = "damaged" if files else "missing"
    raise DamagedInstallationError(
        f"checkpoints/{name}, which comes with genviz, is {is_}; expected sha256 {wanted}. "
        f"Install genviz again with pip's --force-reinstall, or, in a checkout, git checkout -- checkpoints/{name}"
    )
