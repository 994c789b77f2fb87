"""A small network that learns to see what a frozen one sees (Hinton et al. 2015; Romero et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.plain import PlainNetwork
from genviz.classifiers.tracing.receptive_field import ReceptiveField, receptive_fields
from genviz.classifiers.tracing.taps import OUTPUT, look
from genviz.errors import UserError
from genviz.images.pictures import resize
from genviz.interfaces import SCORES, Outline
from genviz.learning.distillation.agreement import Agreements
from genviz.learning.distillation.mixing import mixed
from genviz.optimizers.schedules import cosine

CLASS_MAPS = "fc8"


class Distillation(pl.LightningModule):
    """Trains ``student`` to see in any crop what ``teacher`` sees in it (Beyer et al. 2021: function matching).

    The loss is the weighted sum of

    - ``hints``: at some depths, the teacher's features predicted from the student's, linearly and alike at all
      positions; mean squared error relative to their variance (Romero et al. 2015); the weight falls linearly to 0;
    - ``maps``: the same for the class scores at each position, before the ReLU and the average;
    - ``scores``: KL divergence of the class probabilities at a temperature T, times T^2 (Hinton et al. 2015, Sec. 2).

    Each position of the student is compared with the teacher's at the same place in the picture, which is found from
    both networks' receptive fields and interpolated.

    The state dict holds the student and the hints, but not the teacher. `training_step` returns the loss and
    ``metrics``, scalar tensors by name, among them the share of variance explained for each hint and for the maps.

    Args:
        teacher: sees the crops at its input size. Its class scores come from maps (a fully convolutional network).
        examiner: the teacher at its best input size, for the validation.
        student: with batch norm; takes images in ``input_space``.
        size: input size of the student in training, in pixels; being convolutional, it may see larger pictures later.
        final_size: input size of the student in validation, in pixels.
        hints: the teacher's layer for each of the student's that has a hint.
        optimizer: a function that builds one for given parameters.
        updates: the total number; the learning rate rises for ``warm_up`` of them, and falls as a cosine.
        temperature: T.
        mix: the share of batches that are mixed: half by mixup, half by CutMix; the teacher sees the same mixture.
        positions: how many rows and columns of each hint's map are compared in an update, drawn at random.
        noise: largest standard deviation of Gaussian noise on the student's input, in units of [0, 1]; the teacher's
            has none, so that the student learns to see through it.
        held_out: a name for each folder of validation pictures.
    """

    def __init__(
        self,
        *,
        teacher: FrozenClassifier,
        examiner: FrozenClassifier,
        student: PlainNetwork,
        input_space: InputSpace,
        size: int,
        final_size: int,
        hints: Mapping[str, str],
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        updates: int,
        warm_up: int = 100,
        weight_hints: float = 1.0,
        weight_maps: float = 1.0,
        weight_scores: float = 0.2,
        temperature: float = 2.0,
        mix: float = 0.3,
        positions: int = 7,
        noise: float = 0.0,
        held_out: Sequence[str] = (),
    ) -> None:
        super().__init__()
        for name, value, low in (("temperature", temperature, 1e-3), ("positions", positions, 1), ("noise", noise, 0)):
            if not value >= low:
                raise ValueError(f"{name}={value} is below {low:g}")
        if not 0 <= mix <= 1:
            raise ValueError(f"mix={mix} must be a share from 0 to 1")
        self.teacher, self.examiner, self.student, self.input_space = teacher, examiner, student, input_space
        self.size, self.final_size, self.hints = size, final_size, dict(hints)
        self.optimizer, self.updates, self.warm_up = optimizer, updates, warm_up
        self.weight_hints, self.weight_maps, self.weight_scores = weight_hints, weight_maps, weight_scores
        self.temperature, self.mix, self.positions, self.noise = temperature, mix, positions, noise
        self.teacher_maps = class_maps(teacher.outline)
        channels = {layer.name: layer.shape[0] for layer in teacher.outline.layers}
        convolutions = [(name, part) for name, part in student.named_children() if isinstance(part, nn.Conv2d)]
        own = {name.replace("conv", "relu"): part.out_channels for name, part in convolutions}
        for kind, wanted, known in (("student", hints, own), ("teacher", hints.values(), channels)):
            if unknown := [name for name in wanted if name not in known]:
                raise UserError(
                    f"distillation.hints: the {kind} has no layer {unknown[0]}; it has {', '.join(list(known)[:-1])}"
                )
        self.projections = nn.ModuleDict({s: nn.Linear(own[s], channels[t]) for s, t in self.hints.items()})
        self.teacher_fields = {name: teacher.receptive_field(name) for name in (*hints.values(), self.teacher_maps)}
        self.fields = receptive_fields(student)
        for what, given in (("distillation.size", size), ("student.input_size", final_size)):
            if not isinstance(given, int) or given < (least := 2 * self.fields[CLASS_MAPS].stride):
                raise UserError(f"{what}={given} is too small; the student needs at least {least} pixels")
        classes = len(teacher.outline.labels)
        self.held_out = tuple(held_out)
        self.agreements = Agreements(classes, held_out)

    def training_step(self, batch: Tensor, batch_idx: int) -> dict[str, Any]:
        """The loss of one update on crops (n, 3, h, w) of bytes."""
        images = mixed(batch.float() / 255, self.mix)
        layers = list(self.hints.values())
        with torch.no_grad():
            taught = self.teacher(images, [*layers, self.teacher_maps, SCORES])
        if self.global_step == 0:
            self._begin_with_the_mean(taught[self.teacher_maps])
        inputs = resize(images, (self.size, self.size))
        if self.noise:
            sigma = self.noise * torch.rand(len(inputs), 1, 1, 1, device=inputs.device)
            inputs = inputs + sigma * torch.randn_like(inputs)
        inputs = self.input_space(inputs).contiguous(memory_format=torch.channels_last)
        seen = look(self.student, inputs, [*self.hints, CLASS_MAPS], output=True)
        metrics: dict[str, Tensor] = {}
        loss = torch.zeros((), device=self.device)
        for own, layer in self.hints.items():
            rows, columns = (_some(extent, self.positions).to(self.device) for extent in seen[own].shape[-2:])
            target = self._at(taught[layer], layer, own, rows, columns)
            spread = target.std((0, 1, 2))
            target = (target - target.mean((0, 1, 2))) / (
                spread + 0.05 * spread.mean()
            )  # some channels hardly ever fire
            guess = self.projections[own](_channels_last(seen[own])[:, rows][:, :, columns])
            error = F.mse_loss(guess.float(), target)
            metrics[f"explained/{layer}"] = 1 - error / target.var()
            loss = loss + self.weight_hints * (1 - self.global_step / self.updates) * error
        rows, columns = (torch.arange(extent, device=self.device) for extent in seen[CLASS_MAPS].shape[-2:])
        target = self._at(taught[self.teacher_maps], self.teacher_maps, CLASS_MAPS, rows, columns)
        maps = F.mse_loss(_channels_last(seen[CLASS_MAPS]).float(), target) / target.var((0, 1, 2)).mean()
        scores = self._divergence(seen[OUTPUT].float(), taught[SCORES].float())
        loss = loss + self.weight_maps * maps + self.weight_scores * scores
        metrics |= {"explained/maps": 1 - maps, "divergence": scores, "loss": loss}
        return {"loss": loss, "metrics": {name: value.detach() for name, value in metrics.items()}}

    def validation_step(self, batch: Tensor, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Compare the answers on whole pictures (n, 3, h, w) of bytes, of the folder ``dataloader_idx``."""
        if not len(batch):
            return
        images = batch.float() / 255
        inputs = self.input_space(resize(images, (self.final_size, self.final_size)))
        scores = self.student(inputs.contiguous(memory_format=torch.channels_last))
        self.agreements.add(self.held_out[dataloader_idx], scores, self.examiner(images, [SCORES])[SCORES])

    def on_validation_epoch_end(self) -> None:
        """Log the agreement, by folder."""
        for name, value in self.agreements.take().items():
            self.log(name, value, logger=False)

    def configure_optimizers(self) -> Any:
        """The optimizer of the student and the hints, with the learning-rate schedule."""
        parameters = [*self.student.parameters(), *self.projections.parameters()]
        optimizer = self.optimizer(parameters)
        schedule = LambdaLR(optimizer, cosine(self.updates, self.warm_up))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The student's and the hints' state."""
        parts = {"student": self.student, "projections": self.projections}
        return {
            f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()
        }

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load the student and the hints; every key must be there, whatever ``strict`` says."""
        for part, module in {"student": self.student, "projections": self.projections}.items():
            prefix = f"{part}."
            own = {name.removeprefix(prefix): value for name, value in state_dict.items() if name.startswith(prefix)}
            module.load_state_dict(own, strict=True, assign=assign)

    @torch.no_grad()
    def _begin_with_the_mean(self, maps: Tensor) -> None:
        """Start the scores at the teacher's average, so that only the differences between pictures remain to learn."""
        readout = self.student.get_submodule(CLASS_MAPS)
        assert isinstance(readout, nn.Conv2d)
        assert readout.bias is not None
        readout.bias.copy_(maps.mean((0, 2, 3)))
        readout.weight.mul_(0.3)

    def _divergence(self, scores: Tensor, expected: Tensor) -> Tensor:
        guess, answer = (F.log_softmax(values / self.temperature, 1) for values in (scores, expected))
        return F.kl_div(guess, answer, log_target=True, reduction="batchmean") * self.temperature**2

    def _at(self, maps: Tensor, layer: str, own: str, rows: Tensor, columns: Tensor) -> Tensor:
        """The teacher's ``maps`` (n, c, h, w) at the positions of the student's ``own``, (n, rows, columns, c)."""
        field, theirs = self.fields[own], self.teacher_fields[layer]
        zoom = self.teacher.outline.input_size[0] / self.size
        values = _channels_last(maps)
        for dimension, positions in ((1, rows), (2, columns)):
            index = _index(positions, field, theirs, zoom).clamp(0, values.shape[dimension] - 1)
            low = index.floor().long()
            high = (low + 1).clamp(max=values.shape[dimension] - 1)
            share = (index - low).to(values.dtype).view(-1, *[1] * (3 - dimension))
            values = values.index_select(dimension, low).lerp(values.index_select(dimension, high), share)
        return values.float()


def class_maps(outline: Outline) -> str:
    """The name of a classifier's class scores at each position, before the ReLU and the average.

    Raises:
        UserError: its scores are not made that way.
    """
    before = outline.preactivations.get(SCORES)
    if before is None:
        raise UserError(
            "the teacher's scores are not averages of rectified class maps, as a student's are; "
            "those of teacher=squeezenet1_0, squeezenet1_1 and small are"
        )
    return before


def _index(positions: Tensor, field: ReceptiveField, theirs: ReceptiveField, zoom: float) -> Tensor:
    """Where the centres of our ``positions`` lie in their map; their picture is ``zoom`` times as large."""
    pixels = (field.offset + field.stride * positions.float() + 0.5) * zoom - 0.5
    return (pixels - theirs.offset) / theirs.stride


def _some(extent: int, count: int) -> Tensor:
    return torch.randperm(extent)[:count].sort().values


def _channels_last(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1)
