"""A run inside the user's own process, which is left as it was."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

_LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.fabric")


@contextmanager
def isolated() -> Iterator[None]:
    """Run the block with gradients enabled, in float32, without autocast; restore what it changes.

    Restored are the random state of Python, NumPy and torch, the grad mode, the warning filters, the levels of
    Lightning's loggers, the environment variables and the signal handlers.
    """
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    environment, python, numpy = dict(os.environ), random.getstate(), np.random.get_state()
    in_main = threading.current_thread() is threading.main_thread()
    handlers = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}
    with ExitStack() as kept:
        kept.enter_context(torch.inference_mode(False))
        kept.enter_context(torch.enable_grad())
        kept.enter_context(torch.device("cpu"))  # whatever device the caller creates tensors on
        kept.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        for device in {"cpu", *(["cuda"] if torch.cuda.is_available() else [])}:
            kept.enter_context(torch.autocast(device, enabled=False))
        kept.enter_context(torch.random.fork_rng(devices=range(torch.cuda.device_count())))
        kept.enter_context(warnings.catch_warnings())
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            for name in set(os.environ) - set(environment):
                del os.environ[name]
            os.environ.update(environment)
            for which, handler in handlers.items():
                if in_main and signal.getsignal(which) is not handler:
                    signal.signal(which, handler)
