"""A sweep on several devices: a process for each."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from genviz.errors import UserError

_SETTING = "trainer.devices"
_LAUNCHER = "hydra/launcher"


def spread(flags: Sequence[str], words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags and the words of ``genviz train``, with a worker for each of several ``trainer.devices``.

    Hydra's joblib launcher starts them, as its workers are what shares the targets anyway: they claim them one batch at
    a time, save when the program is ended, and are the same on one machine and on many.

    Raises:
        UserError: the launcher is not installed.
    """
    given = dict(word.split("=", 1) for word in words if "=" in word)
    count = given.get(_SETTING, "1")
    several = count.isdecimal() and int(count) > 1 and "targets" in given
    if not several or "worker" in given or {"-m", "--multirun"} & set(flags):
        return list(flags), list(words)
    workers = f"worker={','.join(map(str, range(int(count))))}"
    if _LAUNCHER in given:
        return [*flags, "-m"], [*words, workers]
    if find_spec("hydra_plugins") is None or find_spec("hydra_plugins.hydra_joblib_launcher") is None:
        raise UserError(f"{_SETTING}={count} needs joblib's launcher: pip install hydra-joblib-launcher")
    return [*flags, "-m"], [*words, f"{_LAUNCHER}=joblib", f"hydra.launcher.n_jobs={count}", workers]
