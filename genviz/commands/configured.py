"""Commands whose words are Hydra settings, ``genviz train target=class:harmonica``: one for each ``configs/*.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import click
import yaml
from click.shell_completion import CompletionItem

from genviz.files import shipped_folder


class Configured(click.Command):
    """The command of a file of ``configs/``, which says under ``command`` what it runs.

    Args:
        path: the file, named like the command.

    Attributes:
        settings: the path of the settings' schema, ``genviz.training.settings.TrainSettings``.
        run: the path of the function that takes the configuration and returns the exit code.
    """

    def __init__(self, path: Path) -> None:
        said = _read(path)["command"]
        self.settings, self.run = str(said["settings"]), str(said["run"])
        super().__init__(
            path.stem,
            callback=self._run,
            params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, shell_complete=self._complete)],
            help=said["help"],
            add_help_option=False,  # --help lists the settings
            context_settings={"ignore_unknown_options": True},
        )

    def _run(self, words: tuple[str, ...]) -> None:
        from genviz.commands import hydra_program  # importing Hydra takes a while

        called = click.get_current_context().command_path
        hydra_program.run(str(self.name), words, called=called, settings=self.settings, function=self.run)

    def _complete(self, context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from genviz.commands import hydra_program

        return [CompletionItem(word) for word in hydra_program.completions(str(self.name), incomplete)]


def configured() -> list[Configured]:
    """Every command that has a file in ``configs/``, by name."""
    return [Configured(path) for path in sorted(shipped_folder("configs").glob("*.yaml")) if "command" in _read(path)]


def program(name: str) -> Configured:
    """The command of ``configs/<name>.yaml``."""
    return Configured(shipped_folder("configs") / f"{name}.yaml")


@cache
def _read(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return said
