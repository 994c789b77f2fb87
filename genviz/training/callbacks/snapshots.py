"""The evolution of the picture, written during the training: PNGs, a video and logged images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor

from genviz.coupling import Coupling
from genviz.images.displays import Display
from genviz.images.pictures import display_row, write_png
from genviz.images.video import Video
from genviz.training.loggers import log_image


class Snapshots(pl.Callback):
    """Writes each target's settled pictures side by side: before the first update, at intervals, after the last.

    Nothing is kept in memory: a picture goes to ``folder/snapshots/00050.png``, to ``folder/evolution.mp4`` and to the
    loggers. After a resume, the video is rebuilt from the pictures up to the checkpoint.

    Args:
        folders: the outputs of each target; the pictures are divided evenly among them.
        every: updates between two pictures, or a list of updates.
        updates: the total number.
        how: the display, as in `genviz.images.pictures.display`.
    """

    def __init__(
        self, *, folders: Sequence[Path], every: int | Sequence[int], updates: int, how: Display = "rgb"
    ) -> None:
        self.folders, self.updates, self.how = folders, updates, how
        self.moments = {*(range(0, updates, every) if isinstance(every, int) else every), updates}
        self._videos: list[Video] = []

    def pictures(self, which: int = 0) -> list[Path]:
        """A target's pictures so far, in order."""
        return sorted((self.folders[which] / "snapshots").glob("[0-9]*.png"), key=lambda path: int(path.stem))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == 0:
            for which in range(len(self.folders)):
                for path in self.pictures(which):
                    path.unlink()  # of a run that was killed before its first checkpoint
        self._begin(trainer, pl_module)
        if trainer.global_step == 0:
            self._take(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step in self.moments:
            self._take(trainer, pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._videos:  # no update was left, but the last run may have been killed while writing the video
            self._begin(trainer, pl_module)
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._close()

    def _begin(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Coupling)
        rows, columns = module.generator.image_size
        for which, folder in enumerate(self.folders):
            video = Video(folder / "evolution.mp4", rows, columns * len(module.streams) // len(self.folders))
            self._videos.append(video)
            for path in self.pictures(which):
                if int(path.stem) > trainer.global_step:
                    path.unlink()  # taken after the resumed checkpoint
                else:
                    video.add(torch.from_numpy(np.array(Image.open(path))))

    def _take(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Coupling)
        shares = module.settled().chunk(len(self.folders))
        for folder, video, images in zip(self.folders, self._videos, shares, strict=True):
            if not bool(images.isfinite().all()):
                continue
            pixels: Tensor = display_row(images, self.how)
            path = folder / "snapshots" / f"{trainer.global_step:05d}.png"
            write_png(path, pixels, quick=True)
            video.add(pixels)
            for logger in trainer.loggers:
                log_image(logger, "snapshot", path, trainer.global_step)

    def _close(self) -> None:
        for video in self._videos:
            video.close()
        self._videos = []
