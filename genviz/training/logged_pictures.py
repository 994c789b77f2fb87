"""The pictures that a command makes of what it looks at, as a run of the configured logger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from omegaconf import DictConfig

from genviz.training import build
from genviz.training.loggers import WandbRun, log_image
from genviz.training.trainer import close


class LoggedPictures:
    """A run whose pictures are logged one after the other; it ends with the ``with`` block.

    Args:
        config: with the logger; without one, nothing is logged.
        folder: the command's outputs.
        name: of the run, as the logger shows it.
    """

    def __init__(self, config: DictConfig, folder: Path, name: str) -> None:
        group = folder.relative_to(Path(config.paths.outputs).expanduser()).parent.as_posix()
        self._loggers = build.loggers(config, folder=folder, run_id=None, group=group, name=name)
        self._logged = 0

    def __enter__(self) -> LoggedPictures:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        close(self._loggers)

    def log(self, pictures: Mapping[str, Path]) -> None:
        """Log files under their names, at the next step."""
        self._logged += 1
        for logger in self._loggers:
            for name, picture in pictures.items():
                log_image(logger, name, picture, self._logged)

    @property
    def where(self) -> str:
        """Where the run is, and how to see it."""
        known = [logger.where for logger in self._loggers if isinstance(logger, WandbRun)]
        return known[0] if known else "logged" if self._loggers else "not logged"


def log_pictures(config: DictConfig, folder: Path, name: str, pictures: Mapping[str, Path]) -> str:
    """Log the pictures that a command has made in its ``folder`` as a run; where that is."""
    with LoggedPictures(config, folder, name) as logged:
        logged.log(pictures)
    return logged.where
