"""Generated pictures beside the real ones."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from genviz.targets.grammar import Target
from genviz.training.run_folders import RunFolders


class Generated(NamedTuple):
    """The picture of a target, and the exit code of its training: 0 if it is there."""

    code: int
    picture: Path


def generated(config: DictConfig, target: Target) -> Generated:
    """Generate the picture of ``target`` as ``genviz train`` does with these settings, unless it has been done.

    Raises:
        UserError: a setting cannot work, or another process is at work on the target.
    """
    from genviz.training.train import train  # takes seconds, which a wrong setting need not wait

    own = copy.deepcopy(config)
    own.target, own.targets = str(target), None
    return Generated(train(own, target), RunFolders.of(own, target).picture)
