"""What a network sees, from Python: no configuration, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from torch import nn
from torch.optim import Optimizer

from genviz.analysis.contributions import resolve
from genviz.analysis.drawing import Visualization, draw
from genviz.analysis.examples import drawn
from genviz.errors import UserError
from genviz.interfaces import Classifier, Generator, Objective, Regularizer
from genviz.targets.grammar import parse_target
from genviz.targets.selections import find_selections


def visualize(
    classifier: Classifier,
    target: str,
    *,
    generator: Generator | Callable[..., Generator] | None = None,
    objective: Objective | Mapping[str, Objective] | Callable[..., Objective] | None = None,
    regularizers: Mapping[str, Regularizer] | None = None,
    transforms: Sequence[nn.Module] | None = None,
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] | None = None,
    updates: int = 300,
    seeds: Sequence[int] | int = (0,),
    accelerator: str = "auto",
) -> Visualization:
    """Train a generator until ``target`` fires in ``classifier``.

    Args:
        classifier: `genviz.classifiers.from_module.from_module` makes one of any module.
        target: as on the command line: ``class:3``, ``filter:layer3.0:12``, ``layer:relu4_3``,
            ``filter:layer3.0:top5:3``.
        generator: one that holds an image for each seed, or what makes one when it is called with ``streams=``;
            None for Fourier coefficients of the size that the classifier sees.
        objective: one, several by name, or what makes one when it is called with the target and the classifier's
            outline; None for `Activation`, Despraz's.
        regularizers: by name; None for total variation with weight 3.
        transforms: None for two random views.
        optimizer: makes one of parameters; None for Adam with 0.05.
        updates: how many.
        seeds: one an image; each image comes out as if alone.
        accelerator: Lightning's: auto, cpu, gpu.

    Raises:
        UserError: the target names what the classifier does not have, or a setting cannot work.
    """
    seeds = [seeds] if isinstance(seeds, int) else list(seeds)
    if not isinstance(updates, int) or updates < 1 or not seeds:
        raise UserError(f"updates={updates} and seeds={seeds}: at least one of each")
    if not isinstance(classifier, Classifier):
        raise UserError("give a classifier: genviz.classifiers.from_module.from_module(network, input_size=224)")
    if find_selections(target):
        target = resolve(classifier, target, partial(drawn, classifier, accelerator=accelerator)).text
    return draw(
        classifier,
        parse_target(target, classifier.outline.labels, classifier.outline.layers),
        generator=generator,
        objective=objective,
        regularizers=regularizers,
        transforms=transforms,
        optimizer=optimizer,
        updates=updates,
        seeds=seeds,
        accelerator=accelerator,
    )
