"""Decoders of one image or of several, with separate weights or with shared weights and separate statistics.

Their tensors are those of the single decoders, stacked (see `genviz.generators.stacking`). On a CPU, which one image
keeps busy, the images are made one by one, with the same bits as alone; elsewhere together.

Four of the paper's, forward and backward on two cores, in plain layers: 0.63 s one by one, 0.78 s as grouped
convolutions, 1.19 s with `torch.func.vmap`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from genviz.generators.decoder import Decoder
from genviz.generators.stacking import join


class Decoders(nn.Sequential):
    """Decoders of the same sizes as one network of grouped convolutions; codes (n, c, h, w) to (n, 3, h, w).

    Batch norm over the n * c channels normalizes each image by itself, as for a batch of one.

    Args:
        ones: the decoder of each image.
    """

    def __init__(self, ones: Sequence[Decoder]) -> None:
        super().__init__(*(_side_by_side(layers) for layers in zip(*ones, strict=True)))
        self.load_state_dict(join([one.state_dict() for one in ones]))
        self.count = len(ones)
        self._one = (copy.deepcopy(ones[0]).to("meta"),)  # in a tuple: not a submodule
        self.code_shape, self.image_size = ones[0].code_shape, ones[0].image_size

    @property
    def gamma(self) -> Tensor:
        """The scale of each image's last batch norm, (3 n,)."""
        last_norm = self[-1]
        assert isinstance(last_norm, nn.BatchNorm2d)
        return last_norm.weight

    def forward(self, codes: Tensor, together: bool | None = None) -> Tensor:
        """Decode an image from each code, ``together`` or one by one; None: together everywhere but on a CPU."""
        if self.count == 1 or together or (together is None and codes.device.type != "cpu"):
            code = codes if self.count == 1 else codes.flatten(0, 1)[None]  # (1, n c, h, w)
            channels: Tensor = super().forward(code.contiguous(memory_format=torch.channels_last))
            if self.count == 1:
                return channels
            return channels[0].unflatten(0, (self.count, -1))
        codes = codes.contiguous(memory_format=torch.channels_last)
        one = self._one[0].train(self.training)
        states = self._states()
        return torch.cat(
            [functional_call(one, state, (code,)) for state, code in zip(states, codes.split(1), strict=True)]
        )

    def _states(self) -> list[dict[str, Tensor]]:
        """The parameters and buffers of each image's decoder, as views, so that running averages are updated."""
        tensors = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        views = {name: value.chunk(self.count) for name, value in tensors.items() if value.ndim}
        counters = {name: value for name, value in tensors.items() if not value.ndim}  # shared: the first counts
        return [
            {name: parts[image] for name, parts in views.items()}
            | {name: value if image == 0 else value.clone() for name, value in counters.items()}
            for image in range(self.count)
        ]


class SharedDecoder(nn.Sequential):
    """One decoder for all images, with batch statistics for each.

    Args:
        one: the decoder; its convolutions are not copied.
        count: how many images.
    """

    def __init__(self, one: Decoder, count: int) -> None:
        super().__init__(*(ImagesNorm(layer, count) if isinstance(layer, nn.BatchNorm2d) else layer for layer in one))
        self.count = count
        self.code_shape, self.image_size = one.code_shape, one.image_size

    def forward(self, codes: Tensor, together: bool | None = None) -> Tensor:
        """Decode an image from each code, ``together`` or one by one; None: together everywhere but on a CPU."""
        codes = codes.contiguous(memory_format=torch.channels_last)
        if self.count == 1 or together or (together is None and codes.device.type != "cpu"):
            values: Tensor = super().forward(codes)
            return values
        return torch.cat([self._image(code, image) for image, code in enumerate(codes.split(1))])

    def _image(self, values: Tensor, image: int) -> Tensor:
        for layer in self:
            values = layer.of_image(values, image) if isinstance(layer, ImagesNorm) else layer(values)
        return values


class ImagesNorm(nn.BatchNorm2d):
    """Batch normalization of each image by its own statistics and their moving averages.

    Args:
        norm: that of one image; all images share its weight and bias.
        count: how many images.
    """

    def __init__(self, norm: nn.BatchNorm2d, count: int) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, track_running_stats=norm.track_running_stats)
        self.count, self.weight, self.bias = count, norm.weight, norm.bias
        if norm.running_mean is not None and norm.running_var is not None:
            self.running_mean, self.running_var = norm.running_mean.repeat(count), norm.running_var.repeat(count)
        self.num_batches_tracked = norm.num_batches_tracked

    def forward(self, input: Tensor) -> Tensor:
        """Normalize values (n, c, h, w)."""
        if self.count == 1:
            return self.of_image(input, 0)
        averages = (self.running_mean, self.running_var)
        channels = input.reshape(1, -1, *input.shape[2:])
        return self._normalize(channels, averages, self.count, counts=True).view_as(input)

    def of_image(self, values: Tensor, image: int) -> Tensor:
        """Normalize the values (1, c, h, w) of one image."""
        mean, var = self.running_mean, self.running_var
        averages = (
            (None, None)
            if mean is None or var is None
            else (mean.chunk(self.count)[image], var.chunk(self.count)[image])
        )
        return self._normalize(values, averages, 1, counts=image == 0)

    def _normalize(
        self, values: Tensor, averages: tuple[Tensor | None, Tensor | None], images: int, *, counts: bool
    ) -> Tensor:
        if self.training and self.track_running_stats and counts and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        own = self.training or averages[0] is None
        assert self.momentum is not None
        weight, bias = (
            (self.weight, self.bias) if images == 1 else (self.weight.repeat(images), self.bias.repeat(images))
        )
        return F.batch_norm(values, *averages, weight, bias, own, self.momentum, self.eps)


def _side_by_side(layers: Sequence[nn.Module]) -> nn.Module:
    """A layer that applies each of ``layers`` to its share of the channels; its weights are loaded later."""
    first, count = layers[0], len(layers)
    if isinstance(first, nn.Conv2d):
        channels, width, kernel = count * first.in_channels, count * first.out_channels, first.kernel_size[0]
        with torch.device("meta"):
            grouped = type(first)(channels, width, kernel, groups=count)
        return grouped.to_empty(device="cpu")
    if isinstance(first, nn.BatchNorm2d):
        return nn.BatchNorm2d(
            count * first.num_features, first.eps, first.momentum, track_running_stats=first.track_running_stats
        )
    return first
