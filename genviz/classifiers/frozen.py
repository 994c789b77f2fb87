"""A frozen network whose layers can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.outline import channels_last
from genviz.classifiers.receptive_field import ReceptiveField, receptive_fields
from genviz.classifiers.taps import INPUT, look, module_of
from genviz.classifiers.winograd import quicken
from genviz.errors import UserError
from genviz.images.pictures import resize
from genviz.interfaces import SCORES, Classifier, Outline


class FrozenClassifier(Classifier):
    """A network whose weights take no gradient and that stays in eval mode.

    Args:
        network: maps images in ``input_space`` to class scores.
        outline: the network's; says whether images are resized.
        input_space: the network's.
        weights_source, weights_sha256: as in `Classifier`.
        architecture: torchvision's name, if the order of some layers' dimensions depends on it.

    Attributes:
        trunk_sha256: of the weights below the class scores, if those have weights of their own.
    """

    def __init__(
        self,
        network: nn.Module,
        outline: Outline,
        input_space: InputSpace,
        *,
        weights_source: str,
        weights_sha256: str,
        architecture: str = "",
    ) -> None:
        super().__init__()
        self.network, self.outline, self.input_space, self.architecture = network, outline, input_space, architecture
        self.weights_source, self.weights_sha256 = weights_source, weights_sha256
        self.trunk_sha256 = weights_sha256
        self.requires_grad_(False)
        self.eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # on a CPU, a step takes 0.6 of the time
        quicken(network)
        self._tap_of = {layer.name: layer.module for layer in outline.layers}

    def train(self, mode: bool = True) -> FrozenClassifier:  # noqa: ARG002
        """Stay in eval mode: a frozen network has no dropout and no batch statistics."""
        return super().train(False)

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        inputs = self._inputs(images)
        taps = {layer: self._tap_of.get(layer, layer) for layer in layers if layer != SCORES}
        seen = look(self.network, inputs, list(taps.values()), output=SCORES if SCORES in layers else None)
        found = {SCORES: seen[SCORES]} if SCORES in layers else {}
        return found | {layer: self._channels_second(tap, seen[tap]) for layer, tap in taps.items()}

    def through(self, images: Tensor, layer: str, part: Callable[[Tensor], Tensor]) -> Tensor:
        tap = self._tap_of.get(layer, layer)

        def changed(activation: Tensor) -> Tensor:
            second = self._channels_second(tap, activation)
            return part(second) if second is activation else part(second).movedim(1, -1)

        return look(self.network, self._inputs(images), [], output=SCORES, parts={tap: changed})[SCORES]

    def receptive_field(self, layer: str) -> ReceptiveField:
        """The receptive field of ``layer``, or of its input, in the network's input pixels.

        Raises:
            UserError: the layer has no positions, or the network cannot be traced.
        """
        module = self._module(layer)
        if module not in self._fields:
            raise UserError(f"{layer} has no receptive field: each of its values depends on the whole image")
        return self._fields[module]

    def receptive_side(self, layer: str) -> int | None:
        field = self._fields.get(self._module(layer))
        return None if field is None else field.size

    def stride(self, layers: Sequence[str]) -> int:
        own = [self._fields.get(self._module(layer)) for layer in layers]
        known = [field.stride for field in own if field is not None]
        if len(known) < len(own) or not known:
            known = [field.stride for field in self._fields.values()]
        return max(known, default=1)

    def _inputs(self, images: Tensor) -> Tensor:
        """``images``, resized and in the network's input space."""
        if self.outline.resizes:
            images = resize(images, self.outline.input_size)
        return self.input_space(images).contiguous(memory_format=torch.channels_last)

    def _module(self, layer: str) -> str:
        return self._tap_of.get(layer, layer).removesuffix(INPUT)

    @cached_property
    def _fields(self) -> dict[str, ReceptiveField]:
        return receptive_fields(self.network)

    def _channels_second(self, tap: str, activation: Tensor) -> Tensor:
        module = module_of(self.network, tap)
        last = channels_last(self.architecture, module, activation.ndim - 1)
        return activation.movedim(-1, 1) if last else activation
