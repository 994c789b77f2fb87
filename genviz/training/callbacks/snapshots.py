"""The evolution of the picture, written during the training: PNGs, a video and logged images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.files import put_aside
from genviz.images.displays import Display
from genviz.images.pictures import display, read_sound, side_by_side, write_png
from genviz.images.video import Video, can_read, frames
from genviz.training.leftovers import make_way
from genviz.training.loggers import log_image
from genviz.training.transfer import Transfer
from genviz.training.writers import Writers


class Snapshots(pl.Callback):
    """Writes each target's settled pictures side by side: before the first update, at intervals, after the last.

    Nothing is kept in memory: a picture goes to ``folder/snapshots/00050.png``, to ``folder/evolution.mp4`` and to the
    loggers. After a resume, the video is rebuilt from the pictures up to the checkpoint.

    Args:
        folders: the outputs of each target; the pictures are divided evenly among them.
        every: updates between two pictures, or a list of updates.
        updates: the total number.
        how: the display, as in `genviz.images.pictures.display`.
        median: how many of the last ones the final picture needs, if more than one.
        writers: write the files.
    """

    def __init__(
        self,
        *,
        folders: Sequence[Path],
        every: int | Sequence[int],
        updates: int,
        how: Display = "rgb",
        median: int = 1,
        writers: Writers | None = None,
    ) -> None:
        self.folders, self.updates, self.how, self.median = folders, updates, how, median
        self.writers = writers or Writers()
        self.moments = {*(range(0, updates, every) if isinstance(every, int) else every), updates}
        self._videos: dict[int, Video] = {}

    def pictures(self, which: int = 0) -> list[Path]:
        """A target's pictures so far, in order."""
        found = (self.folders[which] / "snapshots").glob("*.png")
        return sorted((path for path in found if path.stem.isdecimal()), key=lambda path: int(path.stem))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == 0:
            for which in range(len(self.folders)):
                for path in self.pictures(which):  # of a run that was killed before its first checkpoint
                    make_way([path])
                    path.unlink(missing_ok=True)
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
        size = (rows, columns * len(module.streams) // len(self.folders), 3)
        for which in range(len(self.folders)):
            self.writers.write(which, partial(self._open, which, trainer.global_step, size))
        self.writers.wait()

    def _open(self, which: int, update: int, size: tuple[int, int, int]) -> None:
        """Begin a target's video with its pictures so far."""
        sound = self._sound(which, size)
        path = self.folders[which] / "evolution.mp4"
        if (
            can_read()
            and path.exists()
            and path.stat().st_size
            and ((count := frames(path)) is None or count > len(sound))
        ):
            put_aside(path, "is damaged" if count is None else "has more frames than there are snapshots")
        self._videos[which] = video = Video(path, *size[:2])
        for path in sound:
            if int(path.stem) > update:
                path.unlink()  # taken after the resumed checkpoint
            elif (pixels := read_sound(path)) is not None:
                video.add(pixels)
        self._check_median(which, update)

    def _sound(self, which: int, size: tuple[int, ...]) -> list[Path]:
        """A target's pictures so far that can be read; others are set aside."""
        sound = []
        for path in self.pictures(which):
            pixels = read_sound(path)
            if pixels is None or pixels.shape != size:
                put_aside(path, "is damaged" if pixels is None else "is not of this run")
            else:
                sound.append(path)
        return sound

    def _check_median(self, which: int, update: int) -> None:
        """Check that the pictures are there of which the final one will be the median.

        Raises:
            UserError: one is not.
        """
        there = {int(path.stem) for path in self.pictures(which)}
        needed = sorted(self.moments - {0})[-self.median :] if self.median > 1 else []
        if lacking := [moment for moment in needed if moment <= update and moment not in there]:
            raise UserError(
                f"median={self.median} needs {self.folders[which]}/snapshots/{lacking[0]:05d}.png, which is missing or "
                "damaged; use resume=false to start over (the old files are renamed)"
            )

    def _take(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Coupling)
        images, update = module.settled(), trainer.global_step
        sound, pixels = Transfer(images.isfinite().flatten(1).all(1)), Transfer(display(images, self.how))
        for which in range(len(self.folders)):
            self.writers.write(which, partial(self._write, which, self._videos[which], update, sound, pixels))
        for logger in trainer.loggers:
            self.writers.wait()
            if (path := self._path(0, update)).exists():
                log_image(logger, "snapshot", path, update)

    def _write(self, which: int, video: Video, update: int, sound: Transfer, pixels: Transfer) -> None:
        """Write the target's pictures, unless one of them is not finite."""
        count = len(self.folders)
        if bool(sound.values().chunk(count)[which].all()):
            row = side_by_side(pixels.values().chunk(count)[which])
            write_png(self._path(which, update), row, quick=True)
            video.add(row)

    def _path(self, which: int, update: int) -> Path:
        return self.folders[which] / "snapshots" / f"{update:05d}.png"

    def _close(self) -> None:
        for which, video in self._videos.items():
            self.writers.write(which, video.close)
        self._videos = {}
