"""The settings of a training: what no constructor looks at."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.images.displays import Display
from genviz.targets.spelling import EXAMPLES, LISTS
from genviz.training.schema import (
    Count,
    File,
    Flag,
    Folder,
    Index,
    Kind,
    Precision,
    Settings,
    Share,
    Text,
)

ALL_CLASSES = "all classes: genviz labels"
Batch = Annotated[Literal["auto"] | Count, Kind("auto or a whole number from 1 up")]


class OutputPaths(Settings):
    """Where files go."""

    outputs: Folder = Field(description="what is made: pictures, results, metrics, videos")


class Paths(OutputPaths):
    """Where files go, checkpoints apart."""

    checkpoints: Folder = Field(description="what a run continues from")


class TrainerSettings(Settings):
    """Lightning's trainer, on one device."""

    accelerator: Annotated[Text, Kind("auto, cpu or gpu")] = Field(description="what to train on")
    devices: Annotated[Any, Kind("1")] = Field(1, description="one process trains this, on one device")
    precision: Precision = Field("32-true", description="bf16-mixed is faster on recent machines")

    @model_validator(mode="after")
    def _one_device(self) -> TrainerSettings:
        if self.devices not in (1, "1"):
            raise UserError(f"trainer.devices={self.devices}: this is trained by one process, on 1 device")
        return self


class TrainSettings(Settings):
    """``genviz train``."""

    target: Annotated[Text | None, Kind(f"a target; examples: {EXAMPLES}")] = Field(
        None, description="what should fire: a class, a mixture, filters, a neuron or a layer"
    )
    targets: Annotated[Text | None, Kind(f"a list of targets; examples: {LISTS}")] = Field(
        None, description="instead, many: a list, a range, or a file of them"
    )
    batch: Batch = Field("auto", description="targets at once; auto: one on a CPU, as many as fit on a GPU")
    worker: Index = Field(0, description="tells apart the processes that share the targets")
    updates: Count = Field(description="of the generator; the paper: 10 x 50")
    image: Annotated[File | None, Kind("a file")] = Field(
        None, description="the picture that an objective compares with, or a generator starts from"
    )
    style: Annotated[File | None, Kind("a file")] = Field(
        None, description="the picture whose style or texture is wanted"
    )
    pictures: Annotated[Folder | None, Kind("a folder")] = Field(
        None, description="real pictures, for objectives that measure them, and for filter:LAYER:top5:CLASS"
    )
    images: Count = Field(1, description="pictures at once, with the seeds seed, seed + 1, ...")
    lr_end: Share = Field(1.0, description="share of the learning rate at the last update, by half a cosine")
    lr_rise: Index = Field(0, description="updates over which the learning rate rises first")
    seed: Index = Field(0, description="of the first weights, the noise and the views")
    display: Annotated[Display, Kind("rgb, despraz or stretch")] = Field(
        "rgb", description="rgb: what the classifier saw; despraz: square root and stretch; stretch: minimum to maximum"
    )
    resume: Flag = Field(True, description="continue the checkpoint; false: start over, and keep the old files aside")
    median: Count = Field(1, description="last snapshots whose median is the final picture; 1: the last by itself")
    tag: Annotated[Any, Kind("a word")] = Field(
        None, description="added to the folder's name, to keep a setting of your own apart"
    )
    checkpoint_every: Count = Field(description="updates between two checkpoints")
    snapshot_every: Annotated[
        Count | Annotated[list[Count], Field(min_length=1)], Kind("a whole number from 1 up, or a list of updates")
    ] = Field(description="updates between two snapshots, or after which updates")
    log_every: Count = Field(description="updates between two rows of the logger; metrics.csv has all")
    paths: Paths
    trainer: TrainerSettings

    @model_validator(mode="after")
    def _one_target_or_many(self) -> TrainSettings:
        if self.targets is None:
            if self.target is None:
                raise UserError(
                    f"say what should fire: target=class:harmonica for instance ({EXAMPLES}); {ALL_CLASSES}"
                )
            return self
        if self.target is not None:
            raise UserError(f"target={self.target} and targets={self.targets}: give one of them")
        if self.images != 1:
            raise UserError(f"images={self.images}: targets= makes one picture of each; target= makes several of one")
        if not self.resume:
            raise UserError(
                "targets= continues where it was; for a new beginning give tag=NAME or another paths.outputs, "
                "or for one of them target=NAME resume=false"
            )
        return self


def check_training(config: DictConfig) -> None:
    """See that the settings of a training are of their kinds.

    Raises:
        UserError: one is missing, or not of its kind.
    """
    TrainSettings.check(config)


def check_named(config: DictConfig, *classifiers: str) -> None:
    """See that none of these settings leaves the classifier open, which would then depend on the machine.

    Raises:
        UserError: one does.
    """
    for name in classifiers:
        group: Any = config
        for part in name.split("."):
            group = (group or {}).get(part)
        if "otherwise" in (group or {}):
            raise UserError(f"{name}=auto would be another network on another machine; name one, {name}=squeezenet1_0")
