"""The folders of a run: what is in them, and the locks that keep other processes out of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from omegaconf import DictConfig

from genviz.errors import CannotWriteError, UserError
from genviz.files import prepare_folder, put_aside, read_json, set_aside, sha256, write_text
from genviz.images.pictures import read_sound
from genviz.targets.grammar import Target
from genviz.training import naming
from genviz.training.callbacks.metrics_file import MetricsFile
from genviz.training.checkpoint import check_identity, differing, read_checkpoint
from genviz.training.leftovers import make_folders, make_way

_RESULT = {"target", "verdict", "explanation", "activation", "rank", "top_classes", "seed", "updates"}
_CHECKSUM = "checksum"
CLAIMS = ".claims"
"""The folder of lock files, next to the folders that they lock."""


class TakenError(UserError):
    """Another process is working in the same folder."""


@dataclass(frozen=True)
class RunFolders:
    """The files and folders of a run."""

    outputs: Path
    checkpoint: Path

    @classmethod
    def of(cls, config: DictConfig, target: Target, names: naming.Names | None = None) -> RunFolders:
        """``<root>/<classifier>/<generator>/<target>/`` in both roots; ``names`` if already known."""
        names = names or naming.names(config)
        rest = Path(names.classifier) / names.generator / target.folder
        return cls(
            Path(config.paths.outputs).expanduser() / rest,
            Path(config.paths.checkpoints).expanduser() / rest / "last.ckpt",
        )

    @property
    def picture(self) -> Path:
        """The picture that the verdict is about."""
        return self.outputs / "final.png"

    @property
    def drawn(self) -> Path:
        """What the network sees in it, as it draws it, if it does."""
        return self.outputs / "drawn.png"

    @property
    def drawn_image(self) -> Path:
        """The same of the picture that it was compared with."""
        return self.outputs / "drawn-image.png"

    @property
    def result(self) -> Path:
        """The verdict and the measurements; exists once the run is done."""
        return self.outputs / "result.json"

    @property
    def error(self) -> Path:
        """The traceback of an unexpected error that a sweep continued after."""
        return self.outputs / "error.txt"

    def claimed(self) -> AbstractContextManager[None]:
        """Lock this target against other processes, as `claimed` does."""
        return claimed(self.outputs, apart="tag=NAME")

    @property
    def stamp(self) -> list[int]:
        """Changes whenever a process continues the run."""
        return stamp(self.checkpoint, self.result)

    def prepare(self, config: DictConfig, text: str, updates: int = 0) -> None:
        """Create the folders for the rest of a run, with its settings.

        Without ``resume``, the old ones are renamed; and so is what cannot be gone on with.

        Args:
            text: the settings as YAML.
            updates: of the checkpoint that it continues from.
        """
        if not config.resume:
            for path in (self.checkpoint, self.outputs):
                set_aside(path)
        elif updates == 0 and self._has_more(config.checkpoint_every):
            put_aside(self.outputs, "is of a run whose checkpoint is gone")
        make_folders((self.outputs, self.checkpoint.parent, self.outputs / "snapshots"))
        settings, pictures = self.outputs / "config.yaml", sorted(self.outputs.glob("final*.png"))
        others = [self.outputs / name for name in ("metrics.csv", "evolution.mp4")]
        make_way((settings, self.result, self.error, *others, *pictures))
        self._set_damaged_aside(settings, pictures)
        self.result.unlink(missing_ok=True)  # of fewer updates
        self.error.unlink(missing_ok=True)
        write_text(settings, text)

    def read_checkpoint(self, identity: Mapping[str, str]) -> dict[str, Any] | None:
        """The checkpoint to continue from; None if there is none.

        Raises:
            UserError: it is damaged, or has other settings than ``identity``.
        """
        if not os.access(self.checkpoint, os.F_OK):  # exists() raises where the folder cannot be searched
            return None
        found = read_checkpoint(self.checkpoint)
        check_identity(self.checkpoint, identity, found)
        return found

    def read_result(self, identity: Mapping[str, str], updates: int) -> dict[str, Any] | None:
        """The result of these settings after at least ``updates``; None if it or a picture is missing or damaged."""
        result = self._whole_result()
        try:
            if result is None or differing(result["identity"], identity):
                return None
            done = result["updates_wanted"] >= updates and all(
                self._is_as_claimed(*claimed) for claimed in _claimed(result)
            )
        except (LookupError, TypeError, AttributeError):
            return None
        return result if done else None

    def write_result(self, result: dict[str, Any]) -> None:
        """Write the file that marks the run as done, with the hashes of its pictures and of itself."""
        names = ["final.png", *(image["file"] for image in result.get("images", ()))]
        result = {**result, "files": {name: sha256(self.outputs / name) for name in names}}
        write_text(self.result, json.dumps({**result, _CHECKSUM: _checksum(result)}, indent=2) + "\n")

    def _whole_result(self) -> dict[str, Any] | None:
        """What the file says; None if it is missing or damaged."""
        try:
            result = read_json(self.result)
            whole = set(result) >= _RESULT and result.get(_CHECKSUM, _checksum(result)) == _checksum(result)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None
        return result if whole else None

    def _is_as_claimed(self, name: str, digest: str | None) -> bool:
        """Whether a picture has this hash; None: whether it can be read."""
        path = self.outputs / name
        try:
            return read_sound(path) is not None if digest is None else sha256(path) == digest
        except OSError:
            return False

    def _has_more(self, checkpoint_every: int) -> bool:
        """Whether the run was once so far that it had a checkpoint."""
        begun = MetricsFile(self.outputs / "metrics.csv").updates >= checkpoint_every
        return begun or self.result.exists() or self.picture.exists()

    def _set_damaged_aside(self, settings: Path, pictures: list[Path]) -> None:
        result = self._whole_result()
        if result is None and self.result.exists():
            put_aside(self.result, "is damaged")
        claimed = {} if result is None else dict(_claimed(result))
        for picture in pictures:
            if picture.exists() and not self._is_as_claimed(picture.name, claimed.get(picture.name)):
                put_aside(picture, "is damaged or was changed")
        try:
            sound = not settings.exists() or isinstance(yaml.safe_load(settings.read_bytes()), dict)
        except (yaml.YAMLError, ValueError, RecursionError):
            sound = False
        if not sound:
            put_aside(settings, "is damaged")


def _claimed(result: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """The pictures of a result with their hashes; None in one that was written before there were any."""
    return list(result.get("files", {"final.png": None}).items())


def _checksum(result: Mapping[str, Any]) -> str:
    """Of a result without its checksum, however it is laid out."""
    rest = {key: value for key, value in result.items() if key != _CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


@contextmanager
def claimed(outputs: Path, *, apart: str) -> Iterator[None]:
    """Lock the folder ``outputs`` against other processes, also on other machines that share it.

    The operating system releases the lock of a process that is killed.

    Args:
        apart: the setting that keeps the outputs of both.

    Raises:
        TakenError: another process has it.
        UserError: the folder cannot be written to.
    """
    folder = outputs.parent / CLAIMS  # outside the outputs, which may be renamed
    prepare_folder(folder)
    lock = claim(folder / f"{outputs.name}.lock")
    if lock is None:
        raise TakenError(f"{outputs} is in use by another process; wait for it, or keep both with {apart}")
    with lock:
        yield


def stamp(*files: Path) -> list[int]:
    """Changes whenever a process writes one of the files."""
    return [path.stat().st_mtime_ns if os.access(path, os.F_OK) else 0 for path in files]


def claim(path: Path) -> AbstractContextManager[Any] | None:
    """Lock the file ``path`` until the context ends; None if another process holds it.

    Raises:
        CannotWriteError: it cannot be written to.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        put_aside(path, "is not a file")
    lock = FileLock(path, mode=0o666)  # several people may share the folder
    held = ExitStack()
    try:
        held.enter_context(lock.acquire(timeout=0))
    except Timeout:
        return None
    except OSError as error:
        raise CannotWriteError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
    return held
