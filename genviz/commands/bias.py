"""genviz bias: what a class looks like to the network, and what else it takes for a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genviz.commands.configured import configured

if TYPE_CHECKING:
    from omegaconf import DictConfig


def bias(config: DictConfig) -> int:
    """Write the report on a class; return the exit code."""
    from genviz.analysis import settings
    from genviz.training import default_classifier

    settings.check_bias(config)
    default_classifier.choose(config)

    from genviz.analysis import class_report

    return class_report.bias(config)


command = configured(
    bias, "Report on a class and on what else excites its filters.", "genviz.analysis.settings:BiasSettings"
)
