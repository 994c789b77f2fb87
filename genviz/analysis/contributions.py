"""Which filters of a layer contribute to a class (Despraz et al. 2017, sections 5.3 and 5.4).

genviz contributions target=class:harmonica layer=fire8 [pictures=photos/]

A filter's contribution to a class is the gradient of the class score with respect to its activation, times the
activation, summed over positions and averaged over pictures: to first order, what the score would lose without it.
`resolve` puts the filters that contribute most into a target, ``filter:fire8:top5:harmonica``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from genviz.analysis.examples import Examples
from genviz.errors import UserError
from genviz.images.given import as_pictures
from genviz.interfaces import Classifier
from genviz.targets.grammar import parse_target
from genviz.targets.layers import find_layer
from genviz.targets.selections import check_selections, find_selections, replace_selections

Method = Literal["gradient", "integrated_gradients", "conductance"]

_AT_ONCE = 8  # pictures: needs no more memory than a training
_STEPS = 20  # of the integral from a black picture to the picture
_PATIENCE = 2.0  # seconds before a progress bar is shown


class Contributions(NamedTuple):
    """How much each filter of a layer contributes to a class."""

    layer: str
    number: int
    """The class."""
    values: Tensor
    """(filters,), in units of the class score; negative: the filter counts against the class."""

    def ranked(self, *, strongest: bool = True) -> list[int]:
        """The filters, by descending contribution, or ascending; ties by number."""
        return torch.sort(self.values, descending=strongest, stable=True).indices.tolist()

    def share(self, filters: Sequence[int]) -> float:
        """The share of ``filters`` in all positive contributions; negative: they count against the class."""
        whole = self.values.clamp_min(0).sum() or self.values.abs().sum()  # none may be positive
        return (self.values[list(filters)].sum() / whole).item()


class Resolved(NamedTuple):
    """A target string whose selections have been replaced by filters."""

    text: str
    told: tuple[str, ...]
    """A line on each selection: which filters it stands for, and what they contribute."""


def check_method(method: object) -> None:
    """Check that ``method`` is known.

    Raises:
        UserError: it is not.
    """
    if method not in get_args(Method):
        raise UserError(f"method={method} is unknown; choose {', '.join(get_args(Method))}")


def contributions(
    classifier: Classifier,
    number: int,
    layer: str,
    images: Tensor,
    *,
    method: Method = "gradient",
    at_once: int = _AT_ONCE,
) -> Contributions:
    """How much each filter of ``layer`` contributes to the score of class ``number`` in ``images``, by captum.

    captum attributes to an identity module inserted at the layer's output. So it does not matter whether that is a
    module's first call or its second, nor whether the network then modifies it in place.

    Args:
        images: RGB in [0, 1], (n, 3, h, w); ``at_once`` of them at a time.
        method: ``gradient``, captum's `LayerGradientXActivation`; ``integrated_gradients`` or ``conductance``, its
            `LayerIntegratedGradients` and `LayerConductance`, both from a black picture and 20 times as slow.

    Raises:
        UserError: the method is unknown, or no filter contributes, as the class does not fire.

    >>> import genviz
    >>> classifier = genviz.load_classifier("small", input_size=64)
    >>> images = genviz.visualize(classifier, "class:harmonica", updates=2, accelerator="cpu").images
    >>> found = genviz.contributions(classifier, 593, "relu5_1", images)
    >>> len(found.ranked()) == len(found.values)
    True
    """
    from captum.attr import LayerConductance, LayerGradientXActivation, LayerIntegratedGradients  # takes seconds

    check_method(method)
    number = _checked(classifier, number, layer)
    if not isinstance(images, Tensor) or images.ndim != 4:
        raise UserError("images must be a tensor, RGB in [0, 1], (n, 3, h, w)")
    as_pictures(images, (images.shape[2], images.shape[3]))  # checks them
    place = nn.Identity()

    def scores(images: Tensor) -> Tensor:
        return classifier.through(images, layer, place)

    attribute: Any
    if method == "gradient":
        attribute = LayerGradientXActivation(scores, place).attribute
    else:
        integral = LayerConductance if method == "conductance" else LayerIntegratedGradients
        attribute = integral(scores, place).attribute
    at_once = min(at_once, classifier.at_once or at_once)
    if method == "conductance" and at_once == 1:
        raise UserError("method=conductance needs two pictures in one pass; choose gradient or integrated_gradients")
    chunk_size = at_once if method == "gradient" else max(1, at_once // 2)  # an integral evaluates each at two points
    settings = {} if method == "gradient" else {"n_steps": _STEPS, "internal_batch_size": at_once}
    device = classifier.device
    total: Tensor | None = None
    for chunk in tqdm(images.split(chunk_size), f"contributions of {layer}", delay=_PATIENCE, dynamic_ncols=True):
        made = attribute(chunk.to(device), target=number, **settings).detach().float()  # (n, c, ...)
        values = made.reshape(*made.shape[:2], -1).sum(2).sum(0).cpu()  # over positions and pictures
        total = values if total is None else total + values
    assert total is not None
    if not total.isfinite().all():
        raise UserError(f"the contributions of {layer} to {classifier.outline.labels[number]} are not finite")
    if not total.any():
        where = "the picture" if len(images) == 1 else f"any of the {len(images)} pictures"
        raise UserError(
            f"no filter of {layer} contributes to {classifier.outline.labels[number]}, which does not fire in {where}; "
            "give others with pictures=FOLDER"
        )
    return Contributions(layer, number, total / len(images))


def _checked(classifier: object, number: Any, layer: str) -> int:
    """The number of the class that `contributions` is asked for, if the classifier has it, and the layer.

    Raises:
        UserError: it is not a classifier, or has no such class or layer.
    """
    if not isinstance(classifier, Classifier):
        raise UserError("contributions takes a classifier, such as genviz.load_classifier('vgg16')")
    outline = classifier.outline
    find_layer(layer, outline.layers)
    with suppress(TypeError):
        found = operator.index(number)
        if not isinstance(number, bool) and 0 <= found < len(outline.labels):
            return found
    raise UserError(f"number={number!r} is no class; the network has {len(outline.labels)}, counted from 0")


def resolve(classifier: Classifier, text: str, examples: Callable[[int], Examples]) -> Resolved:
    """The target string ``text``, with each selection replaced by its filters.

    ``filter:fire8:top5:harmonica@0.5`` becomes ``filter:fire8:12@0.5+44@0.5+...``.

    Args:
        examples: returns the pictures of a class by its number, as `genviz.analysis.examples` does.

    Raises:
        UserError: the classifier has no such class or layer, nothing contributes, or the target is malformed.
    """
    shown: dict[int, Examples] = {}
    found: dict[tuple[str, int], Contributions] = {}
    chosen, told = [], []
    for selection, (layer, number) in zip(
        find_selections(text), check_selections(text, classifier.outline), strict=True
    ):
        if number not in shown:
            shown[number] = examples(number)
        if (layer.name, number) not in found:
            found[layer.name, number] = contributions(classifier, number, layer.name, shown[number].images)
        own = found[layer.name, number]
        filters = own.ranked(strongest=selection.strongest)[: selection.filters]
        chosen.append((layer.name, filters))
        told.append(
            f"{selection.text} is filter:{layer.name}:{'+'.join(map(str, filters))}, which contribute "
            f"{own.share(filters):.1%} of the evidence for {classifier.outline.labels[number]} in {shown[number].told}"
        )
    target = parse_target(replace_selections(text, chosen), classifier.outline.labels, classifier.outline.layers)
    return Resolved(str(target), tuple(told))
