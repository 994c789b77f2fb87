"""The command `genviz`: its sub-commands, in the order in which they are first needed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from difflib import get_close_matches

import click

from genviz import __version__
from genviz.commands import streams
from genviz.commands.classifiers import command as classifiers
from genviz.commands.configured import configured
from genviz.commands.convert import command as convert
from genviz.commands.labels import command as labels
from genviz.commands.layers import command as layers
from genviz.commands.review import command as review
from genviz.commands.spectrum import command as spectrum
from genviz.errors import BAD_INPUT, INTERRUPTED, UserError, one_line
from genviz.files import check_current_folder

_ORDER = (
    *("train", "explain", "filters", "patches", "neighbours", "map", "trace", "fool", "sticker", "universal"),
    *("review", "labels", "layers", "classifiers", "contributions", "bias", "invert"),
    *("convert", "fit", "retrain", "pretrain", "distill", "spectrum"),
)
"""In which they are first needed; any other comes last."""


def _ordered(commands: Iterable[click.Command]) -> dict[str, click.Command]:
    known = {str(command.name): command for command in commands}
    return {name: known[name] for name in (*_ORDER, *sorted(known.keys() - set(_ORDER)))}


class _Genviz(click.Group):
    """Lists its sub-commands in the given order, and suggests the nearest one for a misspelt name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            near = get_close_matches(name, self.commands, n=1)
            meant = f"did you mean genviz {near[0]}?" if near else "genviz --help lists them"
            raise UserError(f"there is no command '{name}'; {meant}")
        return super().resolve_command(ctx, args)


@click.pass_context
def _help_alone(ctx: click.Context) -> None:
    """Print the help if no sub-command is given."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


genviz = _Genviz(
    name="genviz",
    commands=_ordered([review, labels, layers, classifiers, convert, spectrum, *configured()]),
    help="What does this network see?\n\nEach command has its own --help.",
    callback=_help_alone,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(__version__, message="%(prog)s %(version)s")(genviz)


def main(name: str | None = None, called: str = "genviz") -> None:
    """Run the command line and exit: 0 for success, 2 for bad input, 130 for an interrupt.

    Args:
        name: of the only command; None: the first word says it.
        called: the program as typed, which starts a line about an error.
    """
    try:
        streams.complete()
        check_current_folder()
        command = genviz if name is None else genviz.commands[name]
        code = command.main(prog_name=called, standalone_mode=False) or 0
        sys.stdout.flush()  # what cannot be written is said below
    except UserError as error:
        code = _say(str(error), BAD_INPUT, called)
    except click.ClickException as error:
        message, context = error.format_message(), getattr(error, "ctx", None)
        told = f"{message[:1].lower()}{message[1:].rstrip('.')}"
        called = called if context is None else context.command_path
        code = _say(f"{told}; {called} --help lists the options", BAD_INPUT, called)
    except (click.Abort, KeyboardInterrupt):
        code = _say("interrupted; the same command continues", INTERRUPTED, called)
    except BrokenPipeError:  # a reader such as head has seen enough
        streams.let_go()
        code = 0
    except OSError as error:
        if (why := streams.why_full(error)) is None:
            raise
        streams.let_go_if_full()
        code = _say(why, BAD_INPUT, called)
    sys.exit(code)


def _say(message: str, code: int, called: str) -> int:
    streams.say(one_line(f"{called}: {message}"))
    return code
