"""The folders of a run: what is in them, and the locks that keep other processes out of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from genviz.errors import CannotWriteError, UserError
from genviz.files import prepare_folder, set_aside, write_text
from genviz.targets.grammar import Target
from genviz.training import build
from genviz.training.checkpoint import check_identity, comparable, read_checkpoint

_RESULT = {"target", "verdict", "explanation", "activation", "rank", "top_classes", "seed", "updates"}
CLAIMS = ".claims"
"""The folder of lock files, next to a setting's targets."""


class TakenError(UserError):
    """Another process is working on the target."""


@dataclass(frozen=True)
class RunFolders:
    """The files and folders of a run."""

    outputs: Path
    checkpoint: Path

    @classmethod
    def of(cls, config: DictConfig, target: Target, names: build.Names | None = None) -> RunFolders:
        """``<root>/<classifier>/<generator>/<target>/`` in both roots; ``names`` if already known."""
        names = names or build.names(config)
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
    def result(self) -> Path:
        """The verdict and the measurements; exists once the run is done."""
        return self.outputs / "result.json"

    @property
    def error(self) -> Path:
        """The traceback of an unexpected error that a sweep continued after."""
        return self.outputs / "error.txt"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock this target against other processes, also on other machines that share the folder.

        The operating system releases the lock of a process that is killed.

        Raises:
            TakenError: another process has it.
            UserError: the folder cannot be written to.
        """
        folder = self.outputs.parent / CLAIMS  # outside the outputs, which may be renamed
        prepare_folder(folder)
        lock = claim(folder / f"{self.outputs.name}.lock")
        if lock is None:
            raise TakenError(f"{self.outputs} is in use by another process; wait for it, or keep both with tag=NAME")
        with lock:
            yield

    @property
    def stamp(self) -> list[int]:
        """Changes whenever a process continues the run."""
        files = (self.checkpoint, self.result)
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in files]

    def prepare(self, config: DictConfig) -> None:
        """Create the folders for the rest of a run, with its settings; without ``resume``, the old ones are renamed."""
        if not config.resume:
            for path in (self.checkpoint, self.outputs):
                set_aside(path)
        for folder in (self.outputs, self.checkpoint.parent, self.outputs / "snapshots"):
            prepare_folder(folder)
        self.result.unlink(missing_ok=True)  # of fewer updates
        self.error.unlink(missing_ok=True)
        write_text(self.outputs / "config.yaml", build.as_yaml(config))

    def read_checkpoint(self, identity: Mapping[str, str]) -> dict[str, Any] | None:
        """The checkpoint to continue from; None if there is none.

        Raises:
            UserError: it is damaged, or has other settings than ``identity``.
        """
        if not self.checkpoint.exists():
            return None
        found = read_checkpoint(self.checkpoint)
        check_identity(self.checkpoint, identity, found)
        return found

    def read_result(self, identity: Mapping[str, str], updates: int) -> dict[str, Any] | None:
        """The result of these settings after at least ``updates``; None if it or its picture is missing."""
        try:
            result = json.loads(self.result.read_text(encoding="utf-8"))
            whole = set(result) >= _RESULT
            done = comparable(result["identity"]) == comparable(identity) and result["updates_wanted"] >= updates
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return result if whole and done and self.picture.exists() else None

    def write_result(self, result: dict[str, Any]) -> None:
        """Write the file that marks the run as done."""
        write_text(self.result, json.dumps(result, indent=2) + "\n")


def claim(path: Path) -> AbstractContextManager[Any] | None:
    """Lock the file ``path`` until the context ends; None if another process holds it.

    Raises:
        CannotWriteError: it cannot be written to.
    """
    lock = FileLock(path, mode=0o666)  # several people may share the folder
    held = ExitStack()
    try:
        held.enter_context(lock.acquire(timeout=0))
    except Timeout:
        return None
    except OSError as error:
        raise CannotWriteError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
    return held
