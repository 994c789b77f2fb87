"""The norms in which perturbations are small."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import BeforeValidator

from genviz.training.schema import Kind


def _name(value: Any) -> Any:
    """``inf`` and ``2``, which Hydra reads as numbers, as names."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


Norm = Annotated[Literal["inf", "2"], BeforeValidator(_name), Kind("inf or 2")]


def settle_norm(config: DictConfig) -> None:
    """Make a name of the setting ``norm``."""
    if "norm" in config:
        config.norm = _name(config.norm)
