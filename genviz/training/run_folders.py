"""The folders of a run, and the locks that keep other processes out of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from genviz.errors import CannotWriteError, UserError
from genviz.files import prepare_folder
from genviz.targets.grammar import Target
from genviz.training import build

CLAIMS = ".claims"
"""The folder of lock files, next to a setting's targets."""


class TakenError(UserError):
    """Another process is working on the target."""


@dataclass(frozen=True)
class Places:
    """The files and folders of a run."""

    outputs: Path
    checkpoint: Path

    @classmethod
    def of(cls, config: DictConfig, target: Target, names: build.Names | None = None) -> Places:
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
