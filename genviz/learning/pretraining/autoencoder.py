"""The denoising autoencoder of Despraz et al. (2017, section 4.2, Figure 3): a noisy picture to a code and back."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from genviz.errors import UserError
from genviz.generators.decoder import EPSILON, Decoder
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD
from genviz.interfaces import Classifier
from genviz.learning.data import numbers
from genviz.learning.pretraining.batch_norm import BatchNorm
from genviz.optimizers.schedules import cosine


def norm(channels: int, momentum: float = 0.01) -> BatchNorm:
    """The batch norm of both networks: with Keras' constants, over all processes."""
    return BatchNorm(channels, EPSILON, momentum)


class Encoder(nn.Sequential):
    """The encoder E: images (n, 3, h, w) to codes (n, numbers).

    With ``hidden``, that of Despraz et al. (2017): blocks of two `valid` 3x3 convolutions, each with ReLU and batch
    norm, then a max pooling; a dense layer with ReLU; a linear layer to the code. Without, the decoder's mirror: the
    image is padded to the size of the upsampled code, whose edges the decoder's `valid` convolutions cut; each block is
    a strided 4x4 convolution with ReLU and batch norm; a linear 3x3 convolution gives the code. Each position of the
    code then sees its own part of the image from the first update, and the encoder learns many times as fast.

    Args:
        image_size: rows and columns of the images.
        code_shape: channels, rows and columns of the code.
        widths: channels of each block.
        hidden: width of the dense layer; None: the mirror.

    Raises:
        UserError: a width is invalid, or the blocks do not fit the sizes.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        code_shape: tuple[int, int, int],
        *,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        hidden: int | None = 2048,
    ) -> None:
        _check(widths, hidden)
        sizes = (image_size, code_shape, widths)
        super().__init__(*(_mirror(*sizes) if hidden is None else _dense(*sizes, hidden)))
        for module in self:
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # Keras' default, as in the decoder
                assert module.bias is not None
                nn.init.zeros_(module.bias)


def _check(widths: Sequence[int], hidden: int | None) -> None:
    whole = isinstance(widths, Sequence) and widths and not isinstance(widths, str)
    if not whole or not all(isinstance(width, int) and width > 0 for width in widths):
        raise UserError(f"encoder.widths={widths} must be a list of whole numbers from 1 up, such as [24,48,96,192]")
    if hidden is not None and not (isinstance(hidden, int) and hidden > 0):
        raise UserError(f"encoder.hidden={hidden} must be a whole number from 1 up, or null for no dense layer")


def _dense(
    image_size: tuple[int, int], code_shape: tuple[int, int, int], widths: Sequence[int], hidden: int
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels, (rows, columns) = 3, image_size
    for width in widths:
        for entering in (channels, width):
            layers += [nn.Conv2d(entering, width, 3), nn.ReLU(), norm(width)]
        layers.append(nn.MaxPool2d(2))
        channels, rows, columns = width, (rows - 4) // 2, (columns - 4) // 2
    if min(rows, columns) < 1:
        raise UserError(
            f"encoder.widths={list(widths)}: {len(widths)} blocks reduce pictures of "
            f"{image_size[0]} x {image_size[1]} to nothing; use fewer"
        )
    numbers = math.prod(code_shape)
    return [
        *layers, nn.Flatten(), nn.Linear(channels * rows * columns, hidden), nn.ReLU(), nn.Linear(hidden, numbers)
    ]  # fmt: skip


def _mirror(image_size: tuple[int, int], code_shape: tuple[int, int, int], widths: Sequence[int]) -> list[nn.Module]:
    depth, *extents = code_shape
    missing = [extent * 2 ** len(widths) - side for extent, side in zip(extents, image_size, strict=True)]
    if not all(0 <= pixels < extent * 2 ** len(widths) / 2 for pixels, extent in zip(missing, extents, strict=True)):
        raise UserError(
            f"encoder.widths={list(widths)}: {len(widths)} blocks cannot halve {image_size[0]} x {image_size[1]} "
            f"pixels to a code of {extents[0]} x {extents[1]}; without dense layers, give one more than decoder.widths"
        )
    top, left = (pixels // 2 for pixels in missing)
    layers: list[nn.Module] = [nn.ZeroPad2d((left, missing[1] - left, top, missing[0] - top))]
    channels = 3
    for width in widths:
        layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.ReLU(), norm(width)]
        channels = width
    return [*layers, nn.Conv2d(channels, depth, 3, padding=1), nn.Flatten()]


class Autoencoder(pl.LightningModule):
    """Trains encoder and decoder together to undo Gaussian noise (Vincent et al. 2010).

    The loss is the mean squared error of the reconstructions against the clean images, RGB in [0, 1]; and, with
    ``eye``, ``weight_features`` times that of a frozen classifier's activations at ``features``, relative to each
    layer's mean square (Dosovitskiy & Brox 2016), since the squared error alone gives blurred reconstructions.

    A picture's noise depends only on its number in the training, so that a training can be divided among processes or
    interrupted. `training_step` returns the loss and ``metrics``, scalar tensors by name, averaged over all processes.

    Args:
        decoder: with `norm` as its batch norm.
        encoder_widths: channels of the encoder's blocks.
        hidden: width of the encoder's dense layer; None: no dense layer, the decoder's mirror.
        sigma: standard deviation of the noise, in units of [0, 1].
        optimizer: a function that builds one for given parameters.
        updates: the total number.
        warm_up: updates over which the learning rate rises, before it falls as a cosine; None: constant.
        eye: a classifier; None: the squared error alone.
        features: its layers.
        weight_features: the weight of their error.
        seed: of the noise.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        encoder_widths: Sequence[int],
        hidden: int | None,
        sigma: float,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        updates: int,
        warm_up: int | None = None,
        eye: Classifier | None = None,
        features: Sequence[str] = (),
        weight_features: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if sigma < 0:
            raise UserError(f"noise={sigma}: a standard deviation cannot be negative")
        known = [] if eye is None else [layer.name for layer in eye.outline.layers]
        if eye is not None and not features:
            raise UserError(f"loss.features names no layer; the classifier has {', '.join(known)}")
        if unknown := [name for name in features if eye is not None and name not in known]:
            raise UserError(f"loss.features: the classifier has no layer {unknown[0]}; it has {', '.join(known)}")
        self.decoder = decoder
        self.encoder = Encoder(decoder.image_size, decoder.code_shape, widths=encoder_widths, hidden=hidden)
        self.sigma, self.optimizer, self.updates, self.warm_up = float(sigma), optimizer, updates, warm_up
        self.eye, self.features, self.weight_features, self.seed = eye, tuple(features), weight_features, seed
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.psnr = PeakSignalNoiseRatio(data_range=(0.0, 1.0))
        self.ssim = StructuralSimilarityIndexMeasure(data_range=(0.0, 1.0))

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) to codes and back; RGB around [0, 1], unbounded."""
        return self.decode(self.encode(images))

    def encode(self, images: Tensor) -> Tensor:
        """The codes (n, numbers) of images (n, 3, h, w)."""
        codes: Tensor = self.encoder(((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last))
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """The images of codes (n, numbers)."""
        maps = codes.unflatten(1, self.decoder.code_shape).contiguous(memory_format=torch.channels_last)
        values: Tensor = self.decoder(maps)
        return values.float() * self.std + self.mean

    def noisy(self, images: Tensor, pictures: Iterable[int], seed: int) -> Tensor:
        """Images with noise, which depends on the pictures' numbers."""
        noise = torch.empty(images.shape)
        for row, number in zip(noise, pictures, strict=True):
            own = random.Random(f"{seed}/{number}").getrandbits(32)  # torch accepts no more bits in a seed
            torch.randn(row.shape, generator=torch.Generator().manual_seed(own), out=row)
        return noise.to(images).mul_(self.sigma).add_(images)

    def noisy_held_out(self, batch: Tensor) -> Tensor:
        """Held-out pictures (n, 3, h, w), bytes, as images with noise; the same for a picture every time."""
        numbers = (zlib.crc32(picture.cpu().numpy().tobytes()) for picture in batch)
        return self.noisy(batch.float() / 255, numbers, self.seed + 1)

    def training_step(self, batch: Tensor, batch_idx: int) -> dict[str, Any]:
        """The loss of one update on crops (n, 3, h, w) of bytes."""
        images = batch.float().div_(255)
        pictures = numbers(self.global_step, len(batch), self.global_rank, self.trainer.world_size)
        rebuilt = self(self.noisy(images, pictures, self.seed))
        error = F.mse_loss(rebuilt, images)
        metrics = {"mse": error.detach()}
        loss = error
        if self.eye is not None:
            seen = self.eye(rebuilt, self.features)
            with torch.no_grad():
                wanted = self.eye(images, self.features)
            difference = torch.stack(
                [F.mse_loss(seen[name], wanted[name]) / self._mean(wanted[name].square()) for name in self.features]
            ).mean()
            metrics["features"] = difference.detach()
            loss = loss + self.weight_features * difference
        metrics["loss"] = loss.detach()
        metrics = {name: self._mean(value) for name, value in metrics.items()}
        metrics["psnr"] = -10 * metrics["mse"].log10()
        return {"loss": loss, "metrics": metrics}

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Reconstruct whole pictures (n, 3, h, w) of bytes from their noisy versions."""
        if not len(batch):
            return
        images = batch.float() / 255
        rebuilt = self(self.noisy_held_out(batch)).clamp(0, 1)
        with torch.autocast(self.device.type, enabled=False):  # it would round the metrics
            self.psnr.update(rebuilt, images)
            self.ssim.update(rebuilt, images)

    def on_validation_epoch_end(self) -> None:
        """Log how well the held-out pictures were reconstructed."""
        for name, measure in (("validation/psnr", self.psnr), ("validation/ssim", self.ssim)):
            value = measure.compute()
            assert isinstance(value, Tensor)
            self.log(name, value, logger=False)
            measure.reset()

    def _mean(self, values: Tensor) -> Tensor:
        """The mean over the values of all processes."""
        mean = values.mean()
        if self.trainer.world_size > 1:
            mean = self.trainer.strategy.reduce(mean, reduce_op="mean")
        return mean

    def configure_optimizers(self) -> Any:
        """The optimizer of both networks, with the learning-rate schedule if there is one."""
        optimizer = self.optimizer([*self.encoder.parameters(), *self.decoder.parameters()])
        if self.warm_up is None:
            return optimizer
        schedule = LambdaLR(optimizer, cosine(self.updates, self.warm_up))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Both networks' state, without the classifier's."""
        state: dict[str, Any] = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if name.partition(".")[0] in ("encoder", "decoder")}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Load both networks; every key must be there, whatever ``strict`` says."""
        for part in ("encoder", "decoder"):
            prefix = f"{part}."
            own = {name.removeprefix(prefix): value for name, value in state_dict.items() if name.startswith(prefix)}
            self.get_submodule(part).load_state_dict(own, strict=True, assign=assign)
