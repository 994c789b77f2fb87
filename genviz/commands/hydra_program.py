"""How a command with settings starts and ends: with Hydra's configuration, and one clear line for an error."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from genviz import __version__
from genviz.commands import streams, worker_processes
from genviz.commands.devices import spread
from genviz.commands.settings_help import help_of
from genviz.commands.spared import spare
from genviz.errors import BAD_INPUT, UserError, one_line, out_of_memory
from genviz.files import shipped_folder
from genviz.training.configuration import explain, plain_words
from genviz.training.signals import EndedError, ending

if TYPE_CHECKING:
    from genviz.training.schema import Settings

_BAD = (UserError, HydraException, OmegaConfBaseException)
_HELP = {"--help", "-h"}
_SIGNALLED = 128  # plus the signal's number is the exit code of a program that it ended, for shells and schedulers


def run(name: str, words: Sequence[str], *, called: str, settings: str, function: str) -> None:
    """Run the command ``name`` with these words, and exit.

    The exit code is what the function returns, 2 for bad input, 128 + n for signal n, such as 130 for an interrupt.

    Args:
        name: of its configuration, ``configs/<name>.yaml``.
        called: the command as typed, which starts a line about an error.
        settings: the path of their schema, ``genviz.training.settings.TrainSettings``.
        function: the path of the function that takes the configuration, ``genviz.commands.train.train``.
    """
    streams.complete()
    configs, typed = shipped_folder("configs"), sys.argv
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors arrive here whole, to be printed in one line
    logging.raiseExceptions = False  # W&B's own log would print a traceback for each line on a full disk

    codes: list[int] = []  # one per job: a multirun continues after a failed one
    begun: list[bool] = []
    program = os.getpid()

    def guarded(config: DictConfig) -> None:
        begun.append(True)
        sys.argv = typed  # Lightning starts other processes with it
        if os.getpid() != program:  # in a launcher's process
            worker_processes.begin()
        try:
            with ending():  # in the program itself, the one below
                code = _call(name, function, settings, config)
                sys.stdout.flush()  # what cannot be written is said here
        except EndedError as error:
            code = _ended(called, error.signal, words)
        except _BAD as error:  # here, as Hydra would add a line of its own
            _say(called, str(error))
            code = BAD_INPUT
        except BrokenPipeError:
            streams.let_go()
            _say(called, f"nobody reads the output any more; {_again(words)} continues")
            code = streams.UNREAD
        except OSError as error:
            if (why := streams.why_full(error, _again(words))) is None:
                raise
            streams.let_go_if_full()
            _say(called, why)
            code = BAD_INPUT
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            less = "smaller pictures, fewer of them at once (images, views, batch), or a smaller network"
            _say(called, f"there is not enough memory for this; try {less}")
            code = BAD_INPUT
        if os.getpid() != program:
            worker_processes.end(code)
        codes.append(code)
        if code > _SIGNALLED:
            sys.exit(code)  # no further job

    try:
        flags, words = sorted_out(switched(words, _named(name, "settings", settings)))
        if _HELP & set(flags):
            print(help_of(name, _named(name, "settings", settings), [*words, *_searched(flags)]), flush=True)
            sys.exit(0)
        if "--version" in flags:
            print(f"{called} {__version__}", flush=True)
            sys.exit(0)
        plain = plain_words([*flags, *words])[len(flags) :]
        flags, plain = spread(flags, plain) if name == "train" else (flags, plain)
        sys.argv = [typed[0], *flags, *plain]  # Hydra reads it
        with (
            ending(lambda which: _last_words(called, which, words)),
            worker_processes.ending_first(lambda: bool(begun)),
        ):
            hydra.main(config_path=str(configs), config_name=name, version_base="1.3")(guarded)()
    except HydraException as error:
        _say(called, explain(error, name, words))
        codes.append(BAD_INPUT)
    except _BAD as error:
        _say(called, str(error))
        codes.append(BAD_INPUT)
    except worker_processes.JobError as error:
        codes.append(error.code)
    except ValueError as error:
        if begun:
            raise
        _say(called, str(error))  # from Hydra, for a word that it cannot compose
        codes.append(BAD_INPUT)
    except RuntimeError as error:
        if not type(error).__module__.startswith("submitit"):
            raise
        _say(called, f"{str(error).splitlines()[0]}; its log says why, others go on; {_again(words)} continues")
        codes.append(1)
    except BrokenPipeError:  # a reader such as head has seen enough
        streams.let_go()
    except EndedError as error:
        codes.append(_ended(called, error.signal, words))
    except KeyboardInterrupt:
        codes.append(_ended(called, signal.SIGINT, words))
    sys.exit(max(codes, default=0))


def switched(words: Sequence[str], schema: type[Settings]) -> list[str]:
    """The words, with ``--sweep`` as ``sweep=true`` where that is a setting that can be true or false."""
    switches = {f"--{setting.name}" for setting in schema.listed() if setting.kind == "true or false"}
    return [f"{word[2:]}=true" if word in switches else word for word in words]


def sorted_out(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags with their values, ``--config-dir FOLDER``, and the settings, in whatever order they were given.

    Raises:
        UserError: there is no such flag, or its value is missing.
    """
    known = {flag: action for action in get_args_parser()._actions for flag in action.option_strings}
    flags, settings, left = [], [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            settings.append(word)
            continue
        flag, equals, _ = word.partition("=")
        if flag not in known:
            raise UserError(f"there is no option {flag}; a setting is written NAME=VALUE, such as updates=100")
        flags.append(word)
        if known[flag].nargs is None and not equals:  # takes a value
            if not left:
                raise UserError(f"{flag} needs a value after it")
            flags.append(left.pop(0))
    return flags, settings


def _searched(flags: Sequence[str]) -> list[str]:
    """The setting that adds the folder of ``--config-dir``, if given."""
    for number, flag in enumerate(flags):
        name, _, value = flag.partition("=")
        if name in ("--config-dir", "-cd"):
            return [f"hydra.searchpath=['file://{Path(value or flags[number + 1]).expanduser().resolve()}']"]
    return []


def _call(name: str, function: str, settings: str, config: DictConfig) -> int:
    """Check the settings, choose the classifier and the precision where those are automatic, and call the function."""
    with open_dict(config):
        del config["command"]
    schema: type[Settings] = _named(name, "settings", settings)
    schema.check(config)

    spare()
    from genviz.training import default_classifier, precision  # takes seconds, which a wrong setting need not wait

    precision.choose(config)
    default_classifier.choose(config)
    return int(_named(name, "run", function)(config) or 0)


def _named(name: str, what: str, path: str) -> Any:
    """What ``command.<what>`` of ``configs/<name>.yaml`` names.

    Raises:
        UserError: there is no such thing, or its module cannot be imported.
    """
    module, _, thing = path.rpartition(".")
    try:
        return getattr(import_module(module), thing)
    except (ImportError, ValueError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"configs/{name}.yaml: command.{what}={path} cannot be imported: {why}") from error


def completions(name: str, word: str) -> list[str]:
    """The words of the command ``name`` that start with ``word``, from Hydra's own completion."""
    with hydra.initialize_config_dir(str(shipped_folder("configs")), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        found = BashCompletion(loader)._query(name, word)
    return [word for word in found if not word.startswith("command")]


def _ended(called: str, which: signal.Signals, words: Sequence[str]) -> int:
    streams.say(_last_words(called, which, words))
    return _SIGNALLED + which


def _last_words(called: str, which: signal.Signals, words: Sequence[str]) -> str:
    how = "interrupted" if which == signal.SIGINT else which.name
    return one_line(f"{called}: {how}; {_again(words)} continues")


def _again(words: Sequence[str]) -> str:
    """The command that continues the one with these ``words``."""
    starts_over = any(word.lower() == "resume=false" for word in words)
    return "the same command without resume=false" if starts_over else "the same command"


def _say(called: str, message: str) -> None:
    streams.say(one_line(f"{called}: {message}"))
