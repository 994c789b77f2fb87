"""The smallest perturbation that changes a class, by the geometry of the decision boundaries (DeepFool)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.generators.perturbation import Norm

Bounds = tuple[float, float]


class Perturbed(NamedTuple):
    """What DeepFool made of n pictures."""

    images: Tensor
    """(n, 3, h, w)."""

    steps: Tensor
    """How many steps each took, (n,); 0 where the class differs already."""

    changed: Tensor
    """Whether the network names another class, (n,)."""


@torch.enable_grad()
def deepfool(
    scores: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    labels: Tensor | None = None,
    classes: int = 10,
    steps: int = 50,
    overshoot: float = 0.02,
    norm: Norm = "l2",
    bounds: Bounds | None = (0.0, 1.0),
) -> Perturbed:
    """Move each picture over the nearest boundary of its class (Moosavi-Dezfooli et al. 2015, algorithm 2).

    At each step the scores f are taken for linear. With w_k the gradient of f_k - f_own, the nearest boundary is that
    to the k with the smallest |f_k - f_own| / ||w_k||_q, where 1/p + 1/q = 1 (section 3.3). The picture moves there and
    a little further, by (1 + overshoot) |f_k - f_own| / ||w_k||_2^2 w_k, or / ||w_k||_1 sign(w_k) for p = inf, until
    the class changes. Only the pictures whose class has not changed are looked at again. A picture without any gradient
    stays as it is. Where clipping takes back a part of a step, the boundary is reached in several, and barely; a
    picture that has not changed in the end is moved on by ``overshoot`` of its whole perturbation, which is where
    the paper has the overshoot, if that changes it.

    Args:
        scores: maps images (m, 3, h, w) to class scores before any softmax, (m, classes).
        images: (n, 3, h, w).
        labels: the class that each should lose, (n,); None: the one that the network names.
        classes: only the boundaries to so many classes, less the picture's own, are measured: the strongest in the
            picture as it was.
        steps: at most.
        norm: p, in which the perturbation is small.
        bounds: what a value may be; the picture is clipped to it after each step. None: anything.

    Raises:
        UserError: there are not two classes, or a setting cannot work.
    """
    _check(classes, steps, overshoot, norm)
    made = images.detach().clone()
    taken = torch.zeros(len(made), dtype=torch.long, device=made.device)
    changed = torch.zeros(len(made), dtype=torch.bool, device=made.device)
    active = torch.arange(len(made), device=made.device)
    rivals = torch.empty(0)
    for step in range(steps + 1) if len(made) else ():
        seen, values = _look(scores, made[active])
        if step == 0:
            labels = values.argmax(1) if labels is None else labels.to(values.device)
            rivals = _strongest(values.detach(), labels, classes)
        assert labels is not None
        kept = values.argmax(1) == labels[active]
        changed[active[~kept]] = True
        if step == steps or not kept.any():
            break
        active = active[kept]
        if not kept.all():  # a backward pass costs more than to look again at those that remain
            seen, values = _look(scores, made[active])
        own = values.gather(1, labels[active, None])
        moves, finite = _nearest(values.gather(1, rivals[active]) - own, seen, norm)
        active, moves = active[finite], moves[finite]
        before = made[active]
        made[active] = _clipped(before + (1 + overshoot) * moves, bounds)
        taken[active] += 1
        active = active[(made[active] != before).flatten(1).any(1)]  # a step that is lost to rounding stays lost
        if not len(active):
            break
    held = (~changed).nonzero()[:, 0]
    if labels is not None and len(held):
        further = _clipped(images[held] + (1 + overshoot) * (made[held] - images[held]), bounds)
        gone = _look(scores, further)[1].argmax(1) != labels[held]
        made[held[gone]], changed[held[gone]] = further[gone], True
    return Perturbed(made, taken, changed)


def _clipped(images: Tensor, bounds: Bounds | None) -> Tensor:
    return images if bounds is None else images.clamp(*bounds)


def _look(scores: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The images, as what gradients are taken of, and their scores."""
    seen = images.detach().requires_grad_()
    return seen, scores(seen)


def _strongest(values: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The ``classes`` strongest of each picture's scores (n, all), less its own, (n, k)."""
    if values.shape[1] < 2:
        raise UserError("there is a single class: no picture has another to change to")
    rest = values.scatter(1, labels[:, None], -math.inf)
    return rest.topk(min(classes, values.shape[1]) - 1).indices


def _nearest(gaps: Tensor, images: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """The shortest moves (m, 3, h, w) to where one of ``gaps`` (m, k) is 0, and whether there is one, (m,)."""
    best = torch.full((len(gaps),), math.inf, dtype=gaps.dtype, device=gaps.device)
    moves = torch.zeros_like(images)
    for number, gap in enumerate(gaps.unbind(1)):
        (slope,) = torch.autograd.grad(gap.sum(), images, retain_graph=number + 1 < gaps.shape[1])
        size = slope.flatten(1).norm(p=2 if norm == "l2" else 1, dim=1)
        distance = gap.detach().abs() / size
        nearer = distance < best  # never where there is no gradient
        best = torch.where(nearer, distance, best)
        way = slope / size[:, None, None, None] if norm == "l2" else slope.sign()
        move = distance[:, None, None, None] * way
        moves = torch.where(nearer[:, None, None, None], move, moves)
    return moves, best.isfinite()


def _check(classes: int, steps: int, overshoot: float, norm: str) -> None:
    if classes < 2:
        raise UserError(f"classes={classes}: a picture's own class and another are 2")
    if steps < 1:
        raise UserError(f"steps={steps} must be a whole number from 1 up")
    if not 0 <= overshoot < math.inf:
        raise UserError(f"overshoot={overshoot} must be a number from 0 up")
    if norm not in ("l2", "linf"):
        raise UserError(f"norm={norm} must be l2 or linf")
