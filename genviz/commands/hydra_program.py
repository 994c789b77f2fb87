"""How a command with settings starts and ends: with Hydra's configuration, and one clear line for an error."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import hydra
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.utils import get_class, get_method
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from genviz.commands.settings_help import help_of
from genviz.errors import BAD_INPUT, INTERRUPTED, UserError
from genviz.files import shipped_folder
from genviz.training.configuration import plain_words

if TYPE_CHECKING:
    from genviz.training.schema import Settings

_BAD = (UserError, HydraException, OmegaConfBaseException)
_HELP = {"--help", "-h"}
_PATIENCE = 1.0  # seconds between two checks of the parent


class JobError(Exception):
    """A job in a launcher's process ended with an exit code other than 0, having printed why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run(name: str, words: Sequence[str], *, called: str, settings: str, function: str) -> None:
    """Run the command ``name`` with these words, and exit.

    The exit code is what the function returns, 2 for bad input, 130 for an interrupt.

    Args:
        name: of its configuration, ``configs/<name>.yaml``.
        called: the command as typed, which starts a line about an error.
        settings: the path of their schema, ``genviz.training.settings.TrainSettings``.
        function: the path of the function that takes the configuration, ``genviz.commands.train.train``.
    """
    configs, typed = shipped_folder("configs"), sys.argv
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors arrive here whole, to be printed in one line

    codes: list[int] = []  # one per job: a multirun continues after a failed one
    begun: list[bool] = []
    program = os.getpid()

    def guarded(config: DictConfig) -> None:
        begun.append(True)
        sys.argv = typed  # Lightning starts other processes with it
        if os.getpid() != program:  # in a launcher's process
            _end_with_parent()
        try:
            code = _call(function, settings, config)
        except _BAD as error:  # here, as Hydra would add a line of its own
            _say(called, str(error))
            code = BAD_INPUT
        codes.append(code)
        if code and os.getpid() != program:  # a launcher's process has its own codes
            raise JobError(code)

    try:
        if _HELP & set(words):
            print(help_of(name, settings, [word for word in words if word not in _HELP]), flush=True)
            sys.exit(0)
        sys.argv = [typed[0], *plain_words(words)]  # Hydra reads it
        hydra.main(config_path=str(configs), config_name=name, version_base="1.3")(guarded)()
    except _BAD as error:
        _say(called, str(error))
        codes.append(BAD_INPUT)
    except JobError as error:
        codes.append(error.code)
    except ValueError as error:
        if begun:
            raise
        _say(called, str(error))  # from Hydra, for a word that it cannot compose
        codes.append(BAD_INPUT)
    except BrokenPipeError:  # a reader such as head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        _say(called, "interrupted; the same command continues from the last checkpoint")
        codes.append(INTERRUPTED)
    sys.exit(max(codes, default=0))


def _call(function: str, settings: str, config: DictConfig) -> int:
    """Check the settings, choose the classifier where none is named, and call the function."""
    from genviz.training import default_classifier  # --help needs none of it

    with open_dict(config):
        del config["command"]
    schema: type[Settings] = get_class(settings)
    schema.check(config)
    default_classifier.choose(config)
    return int(get_method(function)(config))  # imported here: a wrong setting need not wait for Lightning


def completions(name: str, word: str) -> list[str]:
    """The words of the command ``name`` that start with ``word``, from Hydra's own completion."""
    with hydra.initialize_config_dir(str(shipped_folder("configs")), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return BashCompletion(loader)._query(name, word)


def _end_with_parent() -> None:
    """End this process, as by SIGTERM, once its parent has ended; launchers do not see to that."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PATIENCE)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _say(called: str, message: str) -> None:
    print(f"{called}: {' '.join(message.split())}", file=sys.stderr, flush=True)
