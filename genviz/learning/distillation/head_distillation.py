"""Heads on a frozen network that learn to see what another network sees (Hinton et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from genviz.classifiers.heads import Head, Heads, Shape
from genviz.errors import UserError
from genviz.learning.distillation.agreement import Agreements
from genviz.learning.distillation.lessons import Lesson, Lessons
from genviz.learning.distillation.mixing import among, mixed_lessons
from genviz.optimizers.schedules import cosine

MEAN = "mean"
"""The name of the average of all heads."""


class Course(NamedTuple):
    """How one head is built and taught, where it differs from the others."""

    hidden: int | None = None
    kernel: int = 1
    pooling: str = "scores"

    seed: int | None = None
    """Of its initial weights, and of its share of the classes; None: from its number."""

    feature_noise: float | None = None
    """None: the common one."""

    share: float = 1.0
    """Of the classes; a crop whose first class, by the teacher, is not in the share is left to the other heads."""


class HeadDistillation(pl.LightningModule):
    """Trains several heads on a frozen network's features, until each scores a crop as ``teacher`` does.

    The loss is the sum of the heads' own, KL divergences of the class probabilities at a temperature T, times T^2
    (Hinton et al. 2015, Sec. 2); heads do not learn from each other. Each sees the features with augmentations of its
    own: mixed in pairs, with the probabilities mixed alike (Verma et al. 2019), mirrored, some positions replaced by
    others, and with noise. So features that were computed once serve for many epochs.

    The heads learn on features divided by each channel's root mean square over the first batch; `finished` returns the
    heads for the original features. The state dict holds the heads and the scale, but not the networks that make the
    lessons. `training_step` returns the loss and ``metrics``, scalar tensors by name.

    Args:
        lessons: makes lessons of batches that are crops.
        courses: one per head.
        begin: heads for the original features, of the shapes of the ``courses``, to train further; None: new ones.
        optimizer: a function that builds one for given parameters.
        updates: the total number; the learning rate rises for ``warm_up`` of them, and falls as a cosine.
        temperature: T.
        feature_noise: largest standard deviation of Gaussian noise on the features, in units of their channel's root
            mean square; each crop draws its own.
        feature_mix: the share of crops whose features are mixed with another's.
        mirror: the share of crops whose maps are mirrored.
        swap: the share of positions of each map that show another of its positions.
        adversarial: how far features are moved towards what excites a random class, while the teacher's answer stays,
            as a share of their length, on average (Goodfellow et al. 2015, in the features); the loss is then the sum
            of those on the moved and on the original features. 0: not moved.
        seed: for heads without one of their own, which use this plus their number.
        held_out: a name for each folder of validation pictures.

    Raises:
        UserError: a head is invalid, or those to begin with have other classes than the teachers.
    """

    def __init__(
        self,
        *,
        lessons: Lessons,
        courses: Sequence[Course],
        begin: Heads | None = None,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        updates: int,
        warm_up: int = 100,
        temperature: float = 2.0,
        feature_noise: float = 0.1,
        feature_mix: float = 0.25,
        mirror: float = 0.5,
        swap: float = 0.1,
        adversarial: float = 0.0,
        seed: int = 0,
        held_out: Sequence[str] = (),
    ) -> None:
        super().__init__()
        shares = {"feature_mix": feature_mix, "mirror": mirror, "swap": swap}
        noises = {f"heads[{number}].feature_noise": course.feature_noise for number, course in enumerate(courses)}
        for name, value in (*shares.items(), *((f"heads[{n}].share", c.share) for n, c in enumerate(courses))):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value} must be a share from 0 to 1")
        for name, given in {**noises, "feature_noise": feature_noise, "adversarial": adversarial}.items():
            if given is not None and not given >= 0:
                raise ValueError(f"{name}={given} is below 0")
        if not temperature > 0:
            raise ValueError(f"temperature={temperature} must be above 0")
        if not courses:
            raise UserError("student.heads is empty; [{hidden: 2048}] is one head, [{}] a linear one")
        self.lessons, self.courses = lessons, tuple(courses)
        self.optimizer, self.updates, self.warm_up = optimizer, updates, warm_up
        self.temperature, self.feature_noise, self.feature_mix = temperature, feature_noise, feature_mix
        self.mirror, self.swap, self.adversarial = mirror, swap, adversarial
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(lessons.channels, 1, 1))
        self.shapes = tuple(
            Shape(lessons.channels, lessons.classes, course.hidden, course.kernel, course.pooling)  # type: ignore[arg-type]
            for course in courses
        )
        self.heads = Heads([])
        self.shares: list[Tensor | None] = []
        for number, (shape, course) in enumerate(zip(self.shapes, courses, strict=True)):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed + number if course.seed is None else course.seed)
                self.heads.append(Head(shape))
                learned = torch.rand(lessons.classes).argsort() < course.share * lessons.classes
            self.shares.append(None if course.share == 1 else learned)
        self.begun = begin is not None
        if begin is not None:
            if (known := begin[0].get_submodule("classes").out_channels) != lessons.classes:
                raise UserError(f"student.heads: these heads have {known} classes, and the teacher {lessons.classes}")
            self.heads.load_state_dict(begin.state_dict())
        self.students = (MEAN, *(f"head{number}" for number, _ in enumerate(courses, 1)))
        self.held_out = tuple(held_out)
        names = [f"{folder}/{student}" for folder in self.held_out for student in self.students]
        self.agreements = Agreements(lessons.classes, names)

    def training_step(self, batch: Lesson | Tensor, batch_idx: int) -> dict[str, Any]:
        """The loss of one update on lessons, or on crops (n, 3, h, w) of bytes."""
        lesson = batch if isinstance(batch, Lesson) else self.lessons(batch)
        features, scores = lesson.features.float(), lesson.scores.float()
        if self.global_step == 0:
            power = features.square().mean((0, 2, 3)).sqrt()
            self.scale.copy_((power + 0.05 * power.mean()).view_as(self.scale))  # some channels hardly ever fire
            if self.begun:
                _scaled(self.heads, self.scale)
        features = (features / self.scale).contiguous(memory_format=torch.channels_last)
        expected = F.softmax(scores / self.temperature, 1)
        first = scores.argmax(1)
        losses = []
        for head, course, learned in zip(self.heads, self.courses, self.shares, strict=True):
            changed, answers = mixed_lessons(features, expected, self.feature_mix)
            changed = self._changed(changed, course)
            assert isinstance(head, Head)
            divergence = self._divergence(quick(head, changed), answers)
            if self.adversarial:
                divergence = divergence + self._divergence(quick(head, self._moved(head, changed)), answers)
            counts = torch.ones_like(divergence) if learned is None else learned.to(first.device)[first].float()
            losses.append((divergence * counts).sum() / counts.sum().clamp(min=1))
        loss = torch.stack(losses).sum()
        metrics = {f"divergence/{name}": value for name, value in zip(self.students[1:], losses, strict=True)}
        metrics |= {"divergence": loss / len(losses), "loss": loss}
        return {"loss": loss, "metrics": {name: value.detach() for name, value in metrics.items()}}

    def validation_step(self, batch: Lesson | Tensor, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Compare the answers on whole pictures, lessons or bytes (n, 3, h, w), of the folder ``dataloader_idx``."""
        if not len(batch[0] if isinstance(batch, Lesson) else batch):
            return
        lesson = batch if isinstance(batch, Lesson) else self.lessons.whole(batch)
        features = lesson.features.float() / self.scale
        scores = torch.stack([head(features).float() for head in self.heads])
        for student, answer in zip(self.students, (scores.mean(0), *scores), strict=True):
            self.agreements.add(f"{self.held_out[dataloader_idx]}/{student}", answer, lesson.scores)

    def on_validation_epoch_end(self) -> None:
        """Log the agreement of each head, and of their mean, by folder."""
        for name, value in self.agreements.take().items():
            self.log(name, value, logger=False)

    def configure_optimizers(self) -> Any:
        """The optimizer of the heads, with the learning-rate schedule."""
        optimizer = self.optimizer(self.heads.parameters())
        schedule = LambdaLR(optimizer, cosine(self.updates, self.warm_up))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The heads' state, and the scale."""
        return {"scale": self.scale, **{f"heads.{name}": value for name, value in self.heads.state_dict().items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load the heads and the scale; every key must be there, whatever ``strict`` says."""
        self.scale.copy_(state_dict["scale"])
        own = {name.removeprefix("heads."): value for name, value in state_dict.items() if name != "scale"}
        self.heads.load_state_dict(own, strict=True, assign=assign)

    @torch.no_grad()
    def finished(self) -> Heads:
        """A copy of the heads for the original features: the scale goes into their first convolution."""
        heads = Heads(self.shapes)
        heads.load_state_dict(self.heads.state_dict())
        _scaled(heads, 1 / self.scale.cpu())
        return heads

    def _divergence(self, scores: Tensor, answers: Tensor) -> Tensor:
        """The KL divergence of each crop's class probabilities from its ``answers`` (n, classes), (n,)."""
        guess = F.log_softmax(scores.float() / self.temperature, 1)
        return F.kl_div(guess, answers, reduction="none").sum(1) * self.temperature**2

    def _moved(self, head: Head, features: Tensor) -> Tensor:
        """Features (n, c, h, w) moved towards what excites a random class; none that was above 0 falls below."""
        at = features.detach().requires_grad_()
        scores = quick(head, at)
        wanted = torch.randint(scores.shape[1], (len(at), 1), device=at.device)
        (direction,) = torch.autograd.grad(scores.gather(1, wanted).sum(), at)
        lengths, steepness = (values.flatten(1).norm(dim=1).view(-1, 1, 1, 1) for values in (features, direction))
        way = 2 * self.adversarial * torch.rand_like(lengths) * lengths / steepness.clamp(min=1e-12)
        return torch.maximum(features + way * direction, features.clamp(max=0)).detach()

    def _changed(self, features: Tensor, course: Course) -> Tensor:
        """Features (n, c, h, w) as a head sees them in training."""
        count, _, rows, columns = features.shape
        if self.mirror:
            mirrored = among(count, self.mirror, features)
            features = torch.where(mirrored.view(-1, 1, 1, 1), features.flip(3), features)
        if self.swap:
            places = torch.arange(rows * columns, device=features.device).expand(count, -1)
            others = torch.randint(rows * columns, places.shape, device=features.device)
            swapped = torch.where(torch.rand(places.shape, device=features.device) < self.swap, others, places)
            features = features.flatten(2).gather(2, swapped[:, None].expand(-1, features.shape[1], -1))
            features = features.unflatten(2, (rows, columns)).contiguous(memory_format=torch.channels_last)
        noise = self.feature_noise if course.feature_noise is None else course.feature_noise
        if noise:
            sigma = noise * torch.rand(count, 1, 1, 1, device=features.device)
            features = features + sigma * torch.randn_like(features)
        return features


@torch.no_grad()
def _scaled(heads: Heads, scale: Tensor) -> None:
    """Multiply the weights of each head's first convolution by its channel's ``scale`` (c, 1, 1)."""
    for head in heads:
        first = next(layer for layer in head.children() if isinstance(layer, nn.Conv2d))
        first.weight *= scale


def quick(head: Head, features: Tensor) -> Tensor:
    """A head's scores (n, classes), averaging before the last convolution where that is equivalent."""
    last = head.get_submodule("classes")
    assert isinstance(last, nn.Conv2d)
    if head.shape.pooling == "features" or last.kernel_size != (1, 1):
        return head(features)
    if head.shape.hidden is not None:
        features = head.get_submodule("relu")(head.get_submodule("hidden")(features))
    return last(features.mean((2, 3), keepdim=True)).flatten(1)
