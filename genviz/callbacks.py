"""A Lightning callback for your own training: what the network sees in a class, after each epoch.

trainer = pl.Trainer(callbacks=[genviz.callbacks.Visualize("class:cat", input_size=32, mean=MEAN, std=STD)])
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image, ImageDraw, ImageFont
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor, nn

from genviz.analysis.arguments import classifier_of
from genviz.analysis.isolation import isolated
from genviz.analysis.visualization import visualize
from genviz.classifiers.labels import Labels
from genviz.classifiers.metadata import Metadata
from genviz.classifiers.sizes import Size
from genviz.errors import UserError
from genviz.files import prepare_folder, write_text
from genviz.images.pictures import UNREADABLE, read_image
from genviz.images.video import Video
from genviz.interfaces import Classifier
from genviz.targets.grammar import parse_target
from genviz.targets.selections import stand_in
from genviz.training.loggers import WandbRun, log_image

_SIDE = 256  # least height of a picture in the video, in pixels
_STRIP = 44  # height of the lines below it
_HELD = 5  # frames for which each picture stays


class Drawn(NamedTuple):
    """A picture of the network at some time of its training."""

    epoch: int
    """0: before the training."""
    picture: str
    """The file's name."""
    verdict: str
    activation: float
    rank: int
    measure: str
    """What the training measures of the network then: ``val_acc 0.515``; '' if nothing is known."""


class Visualize(pl.Callback):
    """Draws a target with a copy of the network, before a training and after each epoch.

    Each picture starts from the same seed and is written to ``folder/epoch-0003.png``, to ``folder/evolution.mp4`` with
    its epoch and the accuracy under it, to ``folder/pictures.csv``, and to the training's loggers. The training itself
    is left as it is: random state, grad mode, autocast, modules, hooks and gradients, so that its weights end with the
    same bits as without the callback, and its updates take as long. Once the first picture is drawn, a picture that
    cannot be drawn or written is a warning, and the training goes on.

    Args:
        target: what should fire, as for ``genviz.visualize``: ``class:cat``, ``filter:layer3.0:12``.
        every: epochs between two pictures.
        folder: for the pictures, of this callback alone; a training that is resumed from a checkpoint continues its
            video, if ``target`` and ``folder`` are written as before.
        network: the part of the LightningModule that maps images to class scores: the name of an attribute, or a
            function of the module that returns a network or a `genviz.Classifier`; None: the module itself.
        at: ``epoch``, the end of a training epoch; or ``validation``, the end of a validation, for a training whose
            epochs have no end.
        measure: the logged metric to show under the picture; None: the first whose name contains ``acc``, validation's
            before training's.
        input_size, mean, std, labels: as for ``genviz.visualize``.
        seed: of the picture.
        experiment, updates, settings: how it is drawn, as for ``genviz.visualize``.

    Raises:
        UserError: a setting cannot work; at the start of the training, if the network has no such target.

    Attributes:
        drawn: the pictures so far.

    >>> from genviz.callbacks import Visualize
    >>> Visualize("class:cat", every=5).drawn
    []
    """

    def __init__(
        self,
        target: str,
        *,
        every: int = 1,
        folder: str | Path = "outputs/visualize",
        network: str | Callable[[Any], nn.Module] | None = None,
        at: Literal["epoch", "validation"] = "epoch",
        measure: str | None = None,
        input_size: Size | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        labels: Labels | None = None,
        seed: int = 0,
        experiment: str | None = None,
        updates: int | None = None,
        settings: str | Sequence[str] = (),
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise UserError(f"every={every!r} must be a whole number of epochs from 1 up")
        if at not in ("epoch", "validation"):
            raise UserError(f"at={at!r} is unknown; it takes epoch, validation")
        if measure is not None and not isinstance(measure, str):
            raise UserError(f"measure={measure!r} must be the name of a logged metric, such as val_acc")
        self.target, self.every, self.network, self.at = target, every, network, at
        self.folder, self.measure, self.seed = Path(folder).expanduser(), measure, seed
        self.own = Metadata(input_size, mean, std, labels)
        self.how: dict[str, Any] = {"experiment": experiment, "updates": updates, "settings": settings}
        self.drawn: list[Drawn] = []
        self._epoch = 0
        self._missed = False
        self._video: Video | None = None

    @property
    def state_key(self) -> str:
        """The key of its state in a checkpoint."""
        return self._generate_state_key(target=self.target, folder=str(self.folder))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        others = [one for one in trainer.callbacks if isinstance(one, Visualize) and one is not self]  # type: ignore[attr-defined]
        if any(one.folder == self.folder for one in others):
            raise UserError(f"folder={self.folder} is that of two callbacks; give each a folder of its own")
        if not trainer.global_step:  # a training from its beginning, perhaps the callback's second
            self._epoch, self.drawn = 0, []
        if self.at == "epoch":
            self._epoch = trainer.current_epoch
        if not trainer.is_global_zero:
            return
        prepare_folder(self.folder)
        with isolated():
            classifier = self._classifier(pl_module)
            outline = classifier.outline
            parse_target(stand_in(self.target, outline), outline.labels, outline.layers)
        self.drawn = [one for one in self.drawn if (self.folder / one.picture).is_file()]
        self._video = None
        for one in self.drawn:
            self._add(one)
        if not self.drawn:
            self._draw(trainer, pl_module, classifier)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.at == "epoch":
            self._epoch_ended(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.at == "validation" and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._epoch_ended(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero and self.drawn and self.drawn[-1].epoch < self._epoch:
            self._try_to_draw(trainer, pl_module)
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._close()

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "drawn": [list(one) for one in self.drawn]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._epoch, self.drawn = state_dict["epoch"], [Drawn(*one) for one in state_dict["drawn"]]

    def _epoch_ended(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Lightning's own count of epochs: a checkpoint after an epoch's last update has this callback's from before
        self._epoch = trainer.current_epoch + 1 if self.at == "epoch" else self._epoch + 1
        if trainer.is_global_zero and self._epoch % self.every == 0:
            self._try_to_draw(trainer, module)

    def _try_to_draw(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        try:
            self._draw(trainer, module)
        except Exception as error:  # whatever it is, a training is worth more than a picture
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            rank_zero_warn(f"{self.folder}: no picture of epoch {self._epoch} ({why}); the training goes on")

    def _classifier(self, module: pl.LightningModule) -> Classifier:
        """The network as it is now, as a copy."""
        if callable(self.network):
            network: Any = self.network(module)
        else:
            network = module if self.network is None else getattr(module, self.network, None)
        if network is None:
            raise UserError(f"network={self.network}: {type(module).__name__} has no such attribute")
        return classifier_of(network, self.own)

    def _draw(self, trainer: pl.Trainer, module: pl.LightningModule, classifier: Classifier | None = None) -> None:
        measure = self._measured(trainer.callback_metrics) if self._epoch else ""
        with isolated():
            classifier = classifier or self._classifier(module)
            accelerator = "cpu" if classifier.device.type == "cpu" else "auto"
            seen = visualize(classifier, self.target, seeds=self.seed, accelerator=accelerator, **self.how)
            path = seen.save(self.folder / f"epoch-{self._epoch:04}.png")
        verdict = seen.verdicts[0]
        one = Drawn(self._epoch, path.name, verdict.verdict, verdict.activation, verdict.rank, measure)
        self.drawn.append(one)
        self._add(one)
        self._list()
        for logger in trainer.loggers:
            _log(logger, f"visualize/{self.target}", path, trainer.global_step)

    def _measured(self, metrics: Mapping[str, Tensor]) -> str:
        if self.measure is not None and self.measure not in metrics and not self._missed:
            self._missed = True
            names = ", ".join(sorted(metrics)) or "nothing yet"
            rank_zero_warn(f"measure={self.measure} is not logged; the training logs {names}")
        likely = [name for name in metrics if "acc" in name.lower()] if self.measure is None else [self.measure]
        likely.sort(key=lambda name: "val" not in name.lower())
        return next((f"{name} {float(metrics[name]):.3f}" for name in likely if name in metrics), "")

    def _add(self, one: Drawn) -> None:
        """Append a picture to the video."""
        try:
            picture = read_image(self.folder / one.picture)
        except (UserError, *UNREADABLE):
            return
        frame = torch.from_numpy(_captioned(picture, one))
        if self._video is None:
            self._video = Video(self.folder / "evolution.mp4", frame.shape[0], frame.shape[1])
        for _ in range(_HELD):
            self._video.add(frame)

    def _list(self) -> None:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(Drawn._fields)
        table.writerows(self.drawn)
        write_text(self.folder / "pictures.csv", text.getvalue())

    def _close(self) -> None:
        if self._video is not None:
            self._video.close()
        self._video = None


def _captioned(picture: Tensor, one: Drawn) -> np.ndarray:
    """The frame of a picture (1, 3, h, w), bytes (h, w, 3)."""
    pixels = (255 * picture[0]).round().byte().permute(1, 2, 0).numpy()
    image = Image.fromarray(pixels)
    scale = max(1, -(-_SIDE // image.height))
    image = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
    frame = Image.new("RGB", (image.width + image.width % 2, image.height + _STRIP + image.height % 2), "white")
    frame.paste(image, (0, 0))
    pen, font = ImageDraw.Draw(frame), ImageFont.load_default(size=14)
    lines = ", ".join(told for told in (f"epoch {one.epoch}", one.measure) if told), one.verdict
    for number, line in enumerate(lines):
        pen.text((6, image.height + 3 + 19 * number), line, "black", font)
    return np.array(frame)


def _log(logger: Logger, name: str, picture: Path, step: int) -> None:
    if isinstance(logger, WandbLogger) and not isinstance(logger, WandbRun):
        logger.log_image(name, [str(picture)], step=step)
    else:
        log_image(logger, name, picture, step)
