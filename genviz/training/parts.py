"""The parts of a coupling: given as objects, or made from the configuration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Objective, Outline, Regularizer
from genviz.objectives.sum import Sum
from genviz.targets.grammar import Target
from genviz.training import build

MakesGenerator = Generator | Callable[..., Generator]
MakesObjective = Objective | Mapping[str, Objective] | Callable[..., Objective]
MakesOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class Parts:
    """The parts of a coupling; those that are None are built from the configuration.

    Args:
        config: the configuration.
        given_generator: holds an image for each stream, or a function that builds it, called with ``streams=``.
        given_objective: one, several by name, or a function that builds it, called with the target and the
            classifier's outline.
        given_regularizers: by name.
        given_transforms: in order.
        given_optimizer: a function that builds one for given parameters.
        seeds: one per image; None: as ``seed`` and ``images`` of the configuration say.
    """

    config: DictConfig
    given_generator: MakesGenerator | None = None
    given_objective: MakesObjective | None = None
    given_regularizers: Mapping[str, Regularizer] | None = None
    given_transforms: Sequence[nn.Module] | None = None
    given_optimizer: MakesOptimizer | None = None
    seeds: Sequence[int] | None = None

    def streams(self, targets: int = 1) -> Streams:
        """The random streams of all targets' images."""
        return build.streams(self.config, targets) if self.seeds is None else Streams(self.seeds)

    def generator(self, streams: Streams) -> Generator:
        """The generator, with an image for each of the ``streams``.

        Raises:
            UserError: it holds a different number of images.
        """
        if self.given_generator is None:
            return build.generator(self.config, streams)
        return made_generator(self.given_generator, streams)

    def objective(self, targets: Sequence[Target], outline: Outline) -> Sum:
        """The objectives for these targets; those that are given are for a single one."""
        if self.given_objective is None:
            return build.objective(self.config, targets, outline)
        (target,) = targets
        made = made_objective(self.given_objective, target, outline)
        _check_weights("objective", made.parts)
        return made

    def regularizers(self) -> dict[str, Regularizer]:
        """The regularizers, by name."""
        if self.given_regularizers is None:
            return build.regularizers(self.config)
        _check_weights("regularizers", self.given_regularizers)
        return dict(self.given_regularizers)

    def transforms(self) -> list[Any]:
        """The transforms, in order."""
        return build.transforms(self.config) if self.given_transforms is None else list(self.given_transforms)

    def optimizer(self) -> MakesOptimizer:
        """A function that builds the optimizer for given parameters."""
        return build.optimizer(self.config) if self.given_optimizer is None else self.given_optimizer


def _check_weights(what: str, parts: Any) -> None:
    """Raise a `UserError` for a part whose weight is not finite."""
    for name, part in parts.items():
        if not math.isfinite(weight := float(part.weight)):
            raise UserError(f"{what}: {name}.weight={weight} must be a finite number")


def made_generator(given: MakesGenerator, streams: Streams) -> Generator:
    """The generator with an image for each of the ``streams``: ``given``, or what it builds.

    Raises:
        UserError: it holds a different number of images.
    """
    if isinstance(given, Generator):
        if (held := len(given().images)) != len(streams):
            raise UserError(f"the generator holds {held} images, but there are {len(streams)} seeds; give one for each")
        return given
    if isinstance(given, type) and not getattr(given, "holds_many", False):
        raise UserError(f"{given.__name__} takes no seeds; pass an instance, {given.__name__}(), and a single seed")
    return given(streams=streams)


def made_objective(given: MakesObjective, target: Target, outline: Outline) -> Sum:
    """The objectives ``given``, or what it builds for this target."""
    made = given if isinstance(given, Objective | Mapping) else given(target, outline)
    return Sum(made if isinstance(made, Mapping) else {"objective": made})
