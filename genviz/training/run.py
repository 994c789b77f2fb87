"""One target's run: what it continues from, and its result."""

from __future__ import annotations

import copy
import platform
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
import torchvision
from omegaconf import DictConfig
from torch import Tensor

import genviz
from genviz.images.pictures import read_image, write_png
from genviz.interfaces import Classifier
from genviz.targets.grammar import Target
from genviz.training import build, fingerprint, naming
from genviz.training.checkpoint import KEY
from genviz.training.run_folders import RunFolders
from genviz.training.verdict import Verdict


class Continued(NamedTuple):
    """The checkpoint that a run continues from."""

    updates: int
    """Those already made."""
    wandb_run_id: str | None


class Run:
    """One target in one setting, in folders of its own.

    Args:
        config: its settings, with those that follow from the classifier.
        target: what should fire.
        classifier: the network in which it should fire.
        generator_sha256: of the weights that the generator starts from.
        names: of the parts, if already known.

    Attributes:
        settings: the configuration as plain data.
        folders: with its files.
        identity: every setting that its picture depends on.
    """

    def __init__(
        self,
        config: DictConfig,
        target: Target,
        classifier: Classifier,
        generator_sha256: str | None,
        names: naming.Names | None = None,
    ) -> None:
        self.config, self.target, self.classifier, self.generator_sha256 = config, target, classifier, generator_sha256
        self.names, self.settings = names or naming.names(config), build.plain(config)
        self.folders = RunFolders.of(config, target, self.names)
        self.identity = fingerprint.of_training(config, target, classifier.weights_sha256, generator_sha256)
        self._seen, self._yaml = self.folders.stamp, build.as_yaml(config)

    def of(self, target: Target) -> Run:
        """The run of another target in the same settings, without working them out again."""
        other = copy.copy(self)
        other.__dict__.pop("continues", None)
        other.target, other.settings = target, {**self.settings, "target": str(target)}
        other.identity = {name: value for name, value in self.identity.items() if name != "target.classes"}
        other.identity |= fingerprint.of_target(self.config, target)
        other.folders = RunFolders.of(self.config, target, self.names)
        other._seen, other._yaml = other.folders.stamp, build.with_target(self._yaml, target)
        return other

    @cached_property
    def continues(self) -> Continued | None:
        """The checkpoint that it continues from; None if it starts at the beginning.

        Raises:
            UserError: the checkpoint is damaged, or has other settings.
        """
        found = self.folders.read_checkpoint(self.identity) if self.config.resume else None
        return None if found is None else Continued(found["global_step"], found[KEY]["wandb_run_id"])

    @property
    def updates(self) -> int:
        """Those already made."""
        return 0 if self.continues is None else self.continues.updates

    @property
    def done(self) -> dict[str, Any] | None:
        """Its result, if nothing is left to do."""
        return self.folders.read_result(self.identity, self.config.updates) if self.config.resume else None

    @property
    def has_moved(self) -> bool:
        """Whether another process has continued it since this object was created."""
        return self.folders.stamp != self._seen

    def prepare(self) -> None:
        """Create its folders, or make them ready to go on in."""
        self.folders.prepare(self.config, self._yaml, self.updates)

    @property
    def record(self) -> dict[str, Any]:
        """What its checkpoint holds besides the state."""
        logged = None if self.continues is None else self.continues.wandb_run_id
        own = {"config": self.settings, "identity": self.identity, "genviz": genviz.__version__}
        return {**own, "wandb_run_id": logged}

    def write(self, pixels: Tensor, updates: int) -> list[Path]:
        """Write the pictures, bytes (h, n w, 3), side by side and, of several, each; return each one's file."""
        config, count = self.config, self.config.images
        metadata = {"Software": f"genviz {genviz.__version__}", "target": str(self.target)}
        metadata |= {"classifier": self.names.classifier, "generator": self.names.generator}
        metadata |= {"seed": str(config.seed), "updates": str(updates)}
        metadata |= {} if self.names.note is None else {"note": self.names.note}
        write_png(self.folders.picture, pixels, metadata)
        if count == 1:
            return [self.folders.picture]
        files = [self.folders.outputs / f"final-{config.seed + number}.png" for number in range(count)]
        for number, (file, image) in enumerate(zip(files, pixels.chunk(count, 1), strict=True)):
            write_png(file, image, {**metadata, "seed": str(config.seed + number)})
        return files

    @property
    def firsts(self) -> list[Tensor | None]:
        """The pictures before any update, RGB in [0, 1], (1, 3, h, w) each; None where it is not known."""
        begun, count = self.folders.outputs / "snapshots" / "00000.png", self.config.images
        return [*read_image(begun).chunk(count, 3)] if begun.exists() else [None] * count

    def result(self, verdicts: list[tuple[str, Verdict]], **measured: Any) -> dict[str, Any]:
        """The verdict and the measurements, as plain data for `RunFolders.write_result`.

        Args:
            measured: of the training: trainable_parameters, updates, seconds_per_update, device.
        """
        return {
            "target": str(self.target),
            "classifier": self.names.classifier,
            "weights": self.classifier.weights_source,
            "weights_sha256": self.classifier.weights_sha256,
            "generator": self.names.generator,
            "generator_sha256": self.generator_sha256,
            "updates_wanted": self.config.updates,
            "seed": self.config.seed,
            "note": self.names.note,
            **verdicts[0][1].as_dict(),
            **({} if len(verdicts) == 1 else {"images": [{"file": f, **v.as_dict()} for f, v in verdicts]}),
            "display": self.config.display,
            **measured,
            "identity": self.identity,
            "versions": {
                "genviz": genviz.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "torchvision": torchvision.__version__,
                "pytorch_lightning": pl.__version__,
            },
        }
