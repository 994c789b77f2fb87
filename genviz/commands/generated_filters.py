"""Generated pictures of filters, beside what else is shown of them."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from pathlib import Path

from omegaconf import DictConfig, open_dict

from genviz.targets.grammar import Target
from genviz.training import naming


def generate(config: DictConfig, targets: Sequence[Target], own: Collection[str]) -> tuple[int, dict[str, Path | None]]:
    """Train for each of ``targets`` as ``genviz train`` does; return the exit code, and the pictures that there are.

    Args:
        own: the settings that a training does not have.
    """
    from genviz.sweeps.sweep import sweep  # takes seconds
    from genviz.training.run_folders import RunFolders

    training = copy.deepcopy(config)
    with open_dict(training):
        for name in own:
            del training[name]
        training.target, training.targets = None, ",".join(map(str, targets))
    code = sweep(training, targets)
    names = naming.names(training)
    pictures = {str(target): RunFolders.of(training, target, names).picture for target in targets}
    return code, {name: path if path.exists() else None for name, path in pictures.items()}
