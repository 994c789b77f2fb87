"""How a command with settings begins and ends: Hydra's configuration, and one clear line where it cannot work."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from genviz.errors import BAD_INPUT, INTERRUPTED, UserError
from genviz.files import shipped_folder

_BAD = (UserError, HydraException, OmegaConfBaseException)
_CLASSIFIERS = {
    "classifier": "classifier",
    **{part: f"classifier@{part}" for part in ("teacher", "second_teacher", "eye", "student.trunk")},
}
"""The words that name a classifier, and what Hydra calls them."""
_PATHS = ("image", "style", "pictures", "generator.start")
"""Words whose value may hold what Hydra takes for its own: spaces, commas, brackets."""
_NAME = re.compile(r"[\w.+-]+")
_PATIENCE = 1.0  # seconds between two looks at the parent


class JobError(Exception):
    """A job in a process of a launcher's ended with an exit code other than 0; it has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run(main: Callable[[DictConfig], int], *, name: str, words: Sequence[str], called: str) -> None:
    """Run ``main`` on the configuration ``configs/name.yaml`` with these words, and end the process.

    The exit code is what ``main`` returns, 2 for bad input, 130 for an interrupt.

    Args:
        called: what the person called, which a line about what cannot work begins with.
    """
    configs, typed = shipped_folder("configs"), sys.argv
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors come here whole, to be told in one line

    codes: list[int] = []  # one for each job: a multirun goes on after a bad one
    begun: list[bool] = []
    program = os.getpid()

    def guarded(config: DictConfig) -> None:
        begun.append(True)
        sys.argv = typed  # by which Lightning starts other processes
        if os.getpid() != program:  # in a process of a launcher's
            _end_with_parent()
        try:
            code = main(config)
        except _BAD as error:  # here: Hydra would add a line of its own
            _say(called, str(error))
            code = BAD_INPUT
        codes.append(code)
        if code and os.getpid() != program:  # a launcher's process, whose codes are not this one's
            raise JobError(code)

    try:
        sys.argv = [typed[0], *_plain_words(words, configs)]  # where Hydra looks
        hydra.main(config_path=str(configs), config_name=name, version_base="1.3")(guarded)()
    except _BAD as error:
        _say(called, str(error))
        codes.append(BAD_INPUT)
    except JobError as error:
        codes.append(error.code)
    except ValueError as error:
        if begun:
            raise
        _say(called, str(error))  # Hydra's, of a word that it cannot compose
        codes.append(BAD_INPUT)
    except BrokenPipeError:  # a reader such as head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        _say(called, "interrupted; the same command goes on from the last checkpoint")
        codes.append(INTERRUPTED)
    sys.exit(max(codes, default=0))


def compose(name: str, words: Sequence[str]) -> DictConfig:
    """The configuration that the command ``name`` would run on with these words.

    Raises:
        UserError: a target holds what no target does.
    """
    configs = shipped_folder("configs")
    with hydra.initialize_config_dir(str(configs), version_base="1.3"):
        config = hydra.compose(name, _plain_words(words, configs), return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


def completions(name: str, word: str) -> list[str]:
    """The words of the command ``name`` that begin with ``word``, as Hydra's own completion has them."""
    with hydra.initialize_config_dir(str(shipped_folder("configs")), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return BashCompletion(loader)._query(name, word)


def _end_with_parent() -> None:
    """Let this process end, as by SIGTERM, when the one that started it has ended: a launcher leaves it alone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PATIENCE)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _say(called: str, message: str) -> None:
    print(f"{called}: {' '.join(message.split())}", file=sys.stderr, flush=True)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _plain_words(arguments: Sequence[str], configs: Path) -> list[str]:
    """Spare the user Hydra's quoting, and name any of torchvision's models a classifier."""
    multirun = any(argument in ("-m", "--multirun") for argument in arguments)  # where a comma separates targets
    words = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key == "target" and equals and not multirun:
            from genviz.targets.grammar import check_spelling  # torch takes seconds, and --help needs none

            words.append(f'target="{check_spelling(_unquoted(value))}"')
        elif key == "targets" and equals and value != "null":  # in a multirun, too, all are each job's
            words.append(f"targets={_quoted(_unquoted(value).strip('[]'))}")
        elif key in _PATHS and value and value != "null" and value[0] not in "'\"" and not multirun:
            words.append(f"{key}={_quoted(value)}")
        elif key == "name" and _NAME.fullmatch(value):
            words.append(f"name='{value}'")  # which may look like a number
        elif key in _CLASSIFIERS and equals and value.isidentifier():
            known = (configs / "classifier" / f"{value}.yaml").exists()
            words.append(f"{_CLASSIFIERS[key]}={value if known else 'torchvision'}")
            words += [] if known else [f"{key}.architecture={value}"]
        else:
            words.append(argument)
    return words
