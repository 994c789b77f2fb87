"""Noisy, reconstructed and true pictures, one above the other, after each validation."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor

from genviz.images.pictures import display, write_png
from genviz.learning.pretraining.autoencoder import Autoencoder
from genviz.training.loggers import log_image


class Reconstructions(pl.Callback):
    """Writes ``folder/reconstructions/000500.png``: from top to bottom, each picture noisy, reconstructed and true.

    Args:
        folder: the training's outputs.
        pictures: held-out ones, (n, 3, h, w) bytes.
    """

    def __init__(self, *, folder: Path, pictures: Tensor) -> None:
        self.folder, self.pictures = folder, pictures

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit" or not trainer.is_global_zero or not len(self.pictures):
            return
        assert isinstance(pl_module, Autoencoder)
        path = self.folder / "reconstructions" / f"{trainer.global_step:06d}.png"
        write_png(path, display(panel(pl_module, self.pictures)), quick=True)
        for logger in trainer.loggers:
            log_image(logger, "reconstructions", path, trainer.global_step)


@torch.no_grad()
def panel(module: Autoencoder, pictures: Tensor) -> Tensor:
    """Three rows of ``pictures`` (n, 3, h, w), bytes: noisy, reconstructed, true; one image (3, rows, columns)."""
    pictures = pictures.to(module.device)
    noisy = module.noisy_held_out(pictures)
    rows = (noisy, module(noisy), pictures.float() / 255)
    return torch.cat([torch.cat([*row.clamp(0, 1)], dim=2) for row in rows], dim=1)
