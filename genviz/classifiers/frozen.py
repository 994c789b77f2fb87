"""A frozen network whose layers can be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.pointwise import PointwiseConvolution
from genviz.classifiers.quick_convolution import quicken
from genviz.classifiers.tracing.calling import Calling, by_position, to_channels_last
from genviz.classifiers.tracing.class_scores import take_scores
from genviz.classifiers.tracing.copies import freeze
from genviz.classifiers.tracing.place import Place, input_place, place_of
from genviz.classifiers.tracing.receptive_field import Area, ReceptiveField, receptive_areas
from genviz.classifiers.tracing.taps import INPUT, OUTPUT, look, module_of
from genviz.classifiers.winograd import WinogradConvolution
from genviz.errors import UserError
from genviz.images.pictures import resize
from genviz.interfaces import SCORES, Classifier, Outline

_AXIS = re.compile(r"(.+)/(\d+)", re.DOTALL)
"""``features.1.0/2``: the channels are counted by this dimension of the layer; see `genviz.targets.layers`."""


class FrozenClassifier(Classifier):
    """A network whose weights take no gradient and that stays in eval mode.

    Args:
        network: maps images in ``input_space`` to class scores.
        outline: the network's; says whether images are resized.
        input_space: the network's.
        weights_source, weights_sha256: as in `Classifier`.
        architecture: torchvision's name; '' for other networks.
        calling: how the network is called.

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
        calling: Calling = Calling(),  # noqa: B008 - immutable
    ) -> None:
        super().__init__()
        self.calling, self.at_once = calling, calling.at_once
        self.network, self.outline, self.input_space, self.architecture = network, outline, input_space, architecture
        self.weights_source, self.weights_sha256 = weights_source, weights_sha256
        self.trunk_sha256 = weights_sha256
        freeze(network)
        by_position(network)
        self.train()
        if calling.channels_last:
            to_channels_last(network)
            quicken(network, WinogradConvolution, PointwiseConvolution)
        self._layers = {layer.module: layer for layer in outline.layers} | {
            known.name: known for known in outline.layers
        }

    def train(self, mode: bool = True) -> FrozenClassifier:  # noqa: ARG002
        """Stay in eval mode: a frozen network has no dropout and no batch statistics."""
        with suppress(RuntimeError, AttributeError):  # of torch.jit.freeze, which is in eval mode for ever
            super().train(False)
        return self

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        passes = [self._look(inputs, layers, count, {}) for inputs, count in self.calling.passes(self._inputs(images))]
        return passes[0] if len(passes) == 1 else {key: torch.cat([one[key] for one in passes]) for key in passes[0]}

    def seen_through(
        self, images: Tensor, layers: Sequence[str], layer: str, part: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        place = self._place(layer)
        (inputs, count), *more = self.calling.passes(self._inputs(images))
        if more:
            raise UserError(f"the network takes only {len(inputs)} of the {len(images)} pictures in one pass")

        def changed(activation: Tensor) -> Tensor:
            values = place.ordered(activation, len(inputs))
            own = part(values[:count])
            own = own if count == len(values) else torch.cat([own, values[count:]])
            return place.restored(own, activation).clone()  # or an in-place ReLU would change what ``part`` has seen

        return self._look(inputs, layers, count, {place.tap: changed})

    def _look(
        self, inputs: Tensor, layers: Sequence[str], count: int, parts: Mapping[str, Callable[[Tensor], Tensor]]
    ) -> dict[str, Tensor]:
        """The activations of ``layers`` for the first ``count`` of ``inputs``; ``parts`` as in `taps.look`."""
        places = {layer: self._place(layer) for layer in layers if layer != SCORES}
        taps = list(dict.fromkeys(place.tap for place in places.values()))
        seen = look(self.network, inputs, taps, output=SCORES in layers, parts=parts)
        found = {SCORES: self._scores(seen[OUTPUT], inputs)} if SCORES in layers else {}
        found |= {layer: place.ordered(seen[place.tap], len(inputs)) for layer, place in places.items()}
        return found if count == len(inputs) else {layer: value[:count] for layer, value in found.items()}

    def receptive_area(self, layer: str) -> Area:
        """What a position of ``layer``, or of its input, sees, in the network's input pixels, down and across.

        Raises:
            UserError: the layer has no positions, or the network cannot be traced.
        """
        module = self._place(layer).module
        if module not in self._areas:
            raise UserError(
                f"{layer} has no known receptive field: its values depend on the whole image, or the network cannot be "
                "traced that far"
            )
        return self._areas[module]

    def receptive_field(self, layer: str) -> ReceptiveField:
        """The `receptive_area` of ``layer``, or of its input, as a square.

        Raises:
            UserError: the layer has no positions, or the network cannot be traced.
        """
        return self.receptive_area(layer).square

    def receptive_side(self, layer: str) -> int | None:
        area = self._areas.get(self._place(layer).module)
        return None if area is None else area.square.size

    def stride(self, layers: Sequence[str]) -> int:
        own = [self._areas.get(self._place(layer).module) for layer in layers]
        known = [area for area in own if area is not None]
        if len(known) < len(own) or not known:
            known = list(self._areas.values())
        return max((area.square.stride for area in known), default=1)

    def _inputs(self, images: Tensor) -> Tensor:
        """``images``, resized and in the network's input space."""
        if self.outline.resizes:
            images = resize(images, self.outline.input_size)
        if self.calling.clips:
            images = images.clamp(0, 1)
        return self.input_space(images)

    def _scores(self, output: Any, inputs: Tensor) -> Tensor:
        return take_scores(output, self.calling.scores, len(inputs))

    def _place(self, layer: str) -> Place:
        """Where the activation of ``layer`` is, or of its input."""
        known, axis = self._layers.get(layer), _AXIS.fullmatch(layer)
        if known is None and axis is not None and axis[1] in self._layers:
            return place_of(self._layers[axis[1]])._replace(axis=int(axis[2]))
        if known is not None:
            return place_of(known)
        if (known := self._layers.get(layer.removesuffix(INPUT))) is not None:
            return input_place(known, module_of(self.network, known.module))
        return Place(layer)

    @cached_property
    def _areas(self) -> dict[str, Area]:
        return receptive_areas(self.network)
