"""The layers of Despraz's generative network G: a feature vector, upsampled and convolved into an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from genviz.errors import UserError
from genviz.generators.frozen_convolution import FrozenConvolution
from genviz.generators.upsampled_convolution import FrozenUpsampledConvolution, Upsample, UpsampledConvolution

EPSILON = 1e-3
"""Of Keras' batch normalization, which the paper's code uses."""


class Decoder(nn.Sequential):
    """G of Despraz et al. (2017, Table 2) from the reshaped feature vector on, or at other sizes.

    Each stage upsamples by 2 (nearest), then applies a `valid` and a `same` convolution, each followed by ReLU and
    batch normalization. The head upsamples once more and makes the three channels: with one convolution if the network
    is trained from scratch; with convolutions of 64, 64 and 3 channels if an autoencoder trains it. With the defaults
    the side grows 5-10-9-9-18-16-16-32-30-30-60-58-58-116-113-113-226-224. It maps codes (n, \\*code_shape) to
    values (n, 3, h, w) around 0.

    Args:
        code_shape: channels, rows and columns of the feature vector.
        widths: channels of each stage.
        kernels: kernel size of each stage's convolutions.
        head: channels of the head's convolutions before the last; empty for a single convolution.
        rectified: whether a ReLU comes between the last convolution and the last batch norm.
        norm: builds the batch norm for a number of channels.
        frozen: do not train the convolutions' weights, and store nothing for their gradients.

    Raises:
        UserError: the sizes do not fit together.
    """

    def __init__(
        self,
        *,
        code_shape: Sequence[int] = (128, 5, 5),
        widths: Sequence[int] = (512, 256, 256, 128, 128),
        kernels: Sequence[int] = (2, 3, 3, 3, 4),
        head: Sequence[int] = (),
        rectified: bool = False,
        norm: Callable[[int], nn.Module],
        frozen: bool = False,
    ) -> None:
        _check(tuple(code_shape), tuple(widths), tuple(kernels), tuple(head))
        depth, rows, columns = code_shape
        self.code_shape, self.kernels = (depth, rows, columns), tuple(kernels)
        convolution = FrozenConvolution if frozen else nn.Conv2d
        upsampled = FrozenUpsampledConvolution if frozen else UpsampledConvolution
        layers: list[nn.Module] = []
        channels = self.code_shape[0]
        for width, kernel in zip(widths, kernels, strict=True):
            layers += [Upsample(), upsampled(channels, width, kernel), nn.ReLU(), norm(width)]
            layers += [_pad_same(kernel), convolution(width, width, kernel), nn.ReLU(), norm(width)]
            channels = width
        layers.append(Upsample())
        for number, width in enumerate((*head, 3)):
            layers += [_pad_same(3)] if number else []
            layers.append((convolution if number else upsampled)(channels, width, 3))
            layers += [nn.ReLU(), norm(width)] if number < len(head) else []
            channels = width
        super().__init__(*layers, *([nn.ReLU()] if rectified else []), norm(3))
        _initialize(self)

    @property
    def image_size(self) -> tuple[int, int]:
        """Rows and columns of the images."""
        rows, columns = self.code_shape[1:]
        for kernel in (*self.kernels, 3):
            rows, columns = 2 * rows - kernel + 1, 2 * columns - kernel + 1
        return rows, columns

    @property
    def gamma(self) -> Tensor:
        """The scale of the last batch norm, (3,): the contrast of the three channels (Eq. 3)."""
        last_norm = self[-1]
        assert isinstance(last_norm, nn.BatchNorm2d)
        return last_norm.weight


def _initialize(network: nn.Module) -> None:
    """Initialize as Keras does: Glorot & Bengio's (2010) uniform weights, zero biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def _pad_same(kernel: int) -> nn.Module:
    """Keras' `same` padding: for an even kernel, one more on the right and at the bottom."""
    return nn.ZeroPad2d(((kernel - 1) // 2, kernel // 2) * 2)


def _check(
    code_shape: tuple[int, ...], widths: tuple[int, ...], kernels: tuple[int, ...], head: tuple[int, ...]
) -> None:
    numbers = (*code_shape, *widths, *kernels, *head)
    if len(code_shape) != 3 or len(widths) != len(kernels) or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise UserError(
            "a generator takes three whole numbers as code_shape, and one width and one kernel per stage; "
            f"not code_shape={list(code_shape)}, widths={list(widths)}, kernels={list(kernels)}"
        )
    side = min(code_shape[1:])
    for kernel in (*kernels, 3):
        side = 2 * side - kernel + 1
        if side < 1:
            raise UserError(f"kernels={list(kernels)} are too large for a code of {code_shape[1]} x {code_shape[2]}")
