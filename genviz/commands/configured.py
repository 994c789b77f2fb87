"""Commands whose words are Hydra settings: ``genviz train target=class:harmonica updates=1000``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from omegaconf import DictConfig


def configured(run: Callable[[DictConfig], int], help: str, settings: str) -> click.Command:
    """A command that calls ``run`` with its configuration, ``configs/<name>.yaml``, and exits with what it returns.

    Args:
        run: named like the command.
        help: one line.
        settings: the path of their schema, ``genviz.training.settings:TrainSettings``.
    """
    name = run.__name__

    def callback(words: tuple[str, ...]) -> None:
        from genviz.commands import hydra_program  # importing Hydra takes a while

        called = click.get_current_context().command_path
        hydra_program.run(run, name=name, words=words, called=called, settings=settings)

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from genviz.commands import hydra_program

        return [CompletionItem(word) for word in hydra_program.completions(name, incomplete)]

    return click.Command(
        name,
        callback=callback,
        params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, shell_complete=complete)],
        help=help,
        add_help_option=False,  # --help lists the settings
        context_settings={"ignore_unknown_options": True},
    )
