"""Commands whose words are Hydra settings, ``genviz train target=class:harmonica``: one for each ``configs/*.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import yaml
from click.shell_completion import CompletionItem

from genviz.errors import UserError
from genviz.files import shipped_folder

_BASE = "base"
"""The file that the others extend."""


class Configured(click.Command):
    """The command of a file of ``configs/``, which says under ``command`` what it runs.

    Args:
        path: the file, named like the command.

    Raises:
        UserError: the file does not say it.

    Attributes:
        settings: the path of the settings' schema, ``genviz.training.settings.TrainSettings``.
        run: the path of the function that takes the configuration and returns the exit code.
    """

    def __init__(self, path: Path) -> None:
        said = _said(path)
        self.settings, self.run = said["settings"], said["run"]
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

        start = _begun(context.params.get("words") or ())
        found = hydra_program.completions(str(self.name), start + incomplete)
        return [CompletionItem(word.removeprefix(start)) for word in found]


def _begun(words: Sequence[str]) -> str:
    """The ``NAME=`` of the value that is completed; '' for a whole word.

    bash takes ``NAME=VALUE`` for three words. click leaves out the ``=`` where nothing follows it yet.
    """
    before, last = ["", "", *words][-2:]
    if last == "=":
        return f"{before}="
    alone = last and "=" not in last and not last.startswith("-") and before != "="
    return f"{last}=" if alone else ""


class _Unusable(click.Command):
    """Stands for the command of a file that does not say what it runs, so that the others still work."""

    def __init__(self, path: Path, why: UserError) -> None:
        def fail(words: tuple[str, ...]) -> None:  # noqa: ARG001 - click's
            raise why

        super().__init__(
            path.stem,
            callback=fail,
            params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)],
            help=f"Cannot be used: {why}",
            add_help_option=False,
            context_settings={"ignore_unknown_options": True},
        )


def configured() -> list[click.Command]:
    """Every command that has a file in ``configs/``, by name."""
    commands: list[click.Command] = []
    for path in sorted(shipped_folder("configs").glob("*.yaml")):
        try:
            if path.stem != _BASE:
                commands.append(Configured(path))
        except UserError as error:
            commands.append(_Unusable(path, error))
    return commands


def _said(path: Path) -> dict[str, str]:
    """What a file says of its command: help, settings, run."""
    try:
        with path.open(encoding="utf-8") as file:
            read = yaml.safe_load(file)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    said = read.get("command") if isinstance(read, dict) else None
    for name in ("help", "settings", "run"):
        if not isinstance(said, dict) or not isinstance(said.get(name), str):
            raise UserError(f"{path} must say {name}: under command:, as configs/bias.yaml does")
    return said  # type: ignore[return-value]
