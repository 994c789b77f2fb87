"""One target's run: what it continues from, and its result."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
import torchvision
from omegaconf import DictConfig
from torch import Tensor

import genviz
from genviz.files import prepare_folder, set_aside, write_text
from genviz.images.pictures import read_image, write_png
from genviz.interfaces import Classifier, Objective
from genviz.targets.grammar import Target
from genviz.training import build, fingerprint
from genviz.training.checkpoint import KEY, check_identity, comparable, read_checkpoint
from genviz.training.run_folders import Places
from genviz.training.verdict import Verdict, judge


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
        alike: every setting that its picture depends on.
        goes_on: whether it continues from a checkpoint.
        updates: those already made.
        wandb_run_id: of its checkpoint's W&B run.

    Raises:
        UserError: its checkpoint is damaged, or has other settings.
    """

    def __init__(
        self,
        config: DictConfig,
        target: Target,
        classifier: Classifier,
        generator_sha256: str | None,
        names: build.Names | None = None,
    ) -> None:
        self.config, self.target, self.classifier, self.generator_sha256 = config, target, classifier, generator_sha256
        self.names, self.settings = names or build.names(config), build.plain(config)
        self.places = Places.of(config, target, self.names)
        self.alike = fingerprint.of_training(config, target, classifier.weights_sha256, generator_sha256)
        self._seen = self._stamp()
        known = self.places.checkpoint
        self.goes_on, self.updates = bool(config.resume) and known.exists(), 0
        self.wandb_run_id: str | None = None
        if self.goes_on:
            found = read_checkpoint(known)
            check_identity(known, self.alike, found)
            self.updates, self.wandb_run_id = int(found["global_step"]), found[KEY]["wandb_run_id"]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.config.resume) and finished(self.places, self.alike, self.config.updates) is not None

    @property
    def has_moved(self) -> bool:
        """Whether another process has continued it since this object was created."""
        return self._stamp() != self._seen

    def _stamp(self) -> list[int]:
        files = (self.places.checkpoint, self.places.result)
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in files]

    @property
    def record(self) -> dict[str, Any]:
        """What its checkpoint holds besides the state."""
        return {"config": self.settings, "identity": self.alike, "genviz": genviz.__version__}

    def begin(self) -> None:
        """Prepare its folders; without ``resume``, the old ones are renamed."""
        if not self.config.resume:
            for path in (self.places.checkpoint, self.places.outputs):
                set_aside(path)
        for folder in (self.places.outputs, self.places.checkpoint.parent, self.places.outputs / "snapshots"):
            prepare_folder(folder)
        self.places.result.unlink(missing_ok=True)  # of fewer updates
        self.places.error.unlink(missing_ok=True)
        write_text(self.places.outputs / "config.yaml", build.as_yaml(self.config))

    def judged(
        self, pixels: Tensor, objective: Objective, updates: int, failure: str | None
    ) -> list[tuple[str, Verdict]]:
        """Write the pictures and judge each file.

        Args:
            pixels: bytes, (h, n w, 3), n pictures side by side.
            failure: why the training ended early; None if it did not.
        """
        config, count = self.config, self.config.images
        metadata = {"Software": f"genviz {genviz.__version__}", "target": str(self.target)}
        metadata |= {"classifier": self.names.classifier, "generator": self.names.generator}
        metadata |= {"seed": str(config.seed), "updates": str(updates)}
        metadata |= {} if self.names.note is None else {"note": self.names.note}
        write_png(self.places.picture, pixels, metadata)
        files = [self.places.picture]
        if count > 1:
            files = [self.places.outputs / f"final-{config.seed + number}.png" for number in range(count)]
            for number, (file, image) in enumerate(zip(files, pixels.chunk(count, 1), strict=True)):
                write_png(file, image, {**metadata, "seed": str(config.seed + number)})
        begun = self.places.outputs / "snapshots" / "00000.png"
        firsts = read_image(begun).chunk(count, 3) if begun.exists() else [None] * count
        return [
            (file.name, judge(file, self.classifier, self.target, objective, first=first, failure=failure))
            for file, first in zip(files, firsts, strict=True)
        ]

    def result(self, verdicts: list[tuple[str, Verdict]], **measured: Any) -> dict[str, Any]:
        """The verdict and the measurements, as plain data for `write_result`.

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
            "identity": self.alike,
            "versions": {
                "genviz": genviz.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "torchvision": torchvision.__version__,
                "pytorch_lightning": pl.__version__,
            },
        }

    def write_result(self, result: dict[str, Any]) -> None:
        """Write the file that marks the run as done."""
        write_text(self.places.result, json.dumps(result, indent=2) + "\n")


def finished(places: Places, alike: Mapping[str, str], updates: int) -> dict[str, Any] | None:
    """The stored result of these settings after at least ``updates``; None if it or its picture is missing."""
    try:
        result = json.loads(places.result.read_text(encoding="utf-8"))
        whole = {"target", "verdict", "explanation", "activation", "rank", "top_classes", "seed"} <= set(result)
        done = comparable(result["identity"]) == comparable(alike) and result["updates_wanted"] >= updates
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return result if whole and done and places.picture.exists() else None
