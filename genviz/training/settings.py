"""The settings of a training that no constructor checks."""

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

ALL_CLASSES = "genviz labels lists all classes"
Batch = Annotated[Literal["auto"] | Count, Kind("auto or a whole number from 1 up")]


class OutputPaths(Settings):
    """Where files go."""

    outputs: Folder = Field(description="folder for pictures, results, metrics and videos")


class Paths(OutputPaths):
    """Where files go, checkpoints included."""

    checkpoints: Folder = Field(description="folder for the checkpoints that runs continue from")


class TrainerSettings(Settings):
    """Lightning's trainer, on one device."""

    accelerator: Annotated[Text, Kind("auto, cpu or gpu")] = Field(description="hardware to train on")
    devices: Annotated[Any, Kind("1")] = Field(1, description="number of devices; always one")
    precision: Precision = Field("32-true", description="number format; auto: bf16-mixed where the hardware has it")

    @model_validator(mode="after")
    def _one_device(self) -> TrainerSettings:
        if self.devices not in (1, "1"):
            raise UserError(f"trainer.devices={self.devices}: this training uses one process, on 1 device")
        return self


class SharingTrainerSettings(Settings):
    """Lightning's trainer, in a process for each of several devices that share the targets."""

    accelerator: Annotated[Text, Kind("auto, cpu or gpu")] = Field(description="hardware to train on")
    devices: Count = Field(1, description="number of devices that share the targets, a process for each")
    precision: Precision = Field("32-true", description="number format; auto: bf16-mixed where the hardware has it")


class TrainSettings(Settings):
    """``genviz train``."""

    target: Annotated[Text | None, Kind(f"a target; examples: {EXAMPLES}")] = Field(
        None, description="what should fire: a class, a mixture, filters, a neuron or a layer"
    )
    targets: Annotated[Text | None, Kind(f"a list of targets; examples: {LISTS}")] = Field(
        None, description="or many targets: a list, a range, or a file of them"
    )
    batch: Batch = Field("auto", description="targets at once; auto: 1 on a CPU, as many as fit on a GPU")
    together: Annotated[Flag | None, Kind("true, false or null")] = Field(
        None, description="whether targets at once go through the networks together; null: everywhere but on a CPU"
    )
    autocast: Annotated[Flag | None, Kind("true, false or null")] = Field(
        None, description="whether the frozen network computes in bfloat16; null: on a GPU that has it"
    )
    tf32: Flag = Field(True, description="whether a GPU may round the factors of float32 products to TF32")
    compile: Annotated[Flag | None, Kind("true, false or null")] = Field(
        None, description="whether updates are compiled; null: on a GPU, for more targets than two batches hold"
    )
    worker: Index = Field(0, description="number of this process, if several share the targets")
    updates: Count = Field(description="how often the generator is updated; the paper: 10 x 50")
    image: Annotated[File | None, Kind("a file")] = Field(
        None, description="the picture that an objective compares with or a generator starts from"
    )
    style: Annotated[File | None, Kind("a file")] = Field(
        None, description="the picture whose style or texture to match"
    )
    pictures: Annotated[Folder | None, Kind("a folder")] = Field(
        None, description="a folder of real pictures, for objectives that measure them, and for filter:LAYER:top5:CLASS"
    )
    images: Count = Field(1, description="images at once, with the seeds seed, seed + 1, ...")
    lr_end: Share = Field(1.0, description="learning-rate factor at the last update, after a half-cosine decay")
    lr_rise: Index = Field(0, description="updates at the start over which the learning rate rises")
    seed: Index = Field(0, description="random seed of the initial weights, the noise and the views")
    display: Annotated[Display, Kind("rgb, despraz, stretch or chollet")] = Field(
        "rgb",
        description="rgb: as the classifier saw it; despraz: the paper's square root and stretch; stretch: min to max; "
        "chollet: around grey, in tenths of the deviation",
    )
    resume: Flag = Field(
        True, description="continue from the checkpoint; false: start over, with the old files renamed"
    )
    mosaic: Flag = Field(
        False, description="of a figure or targets=, of neurons or filters: also a mosaic of what each sees"
    )
    median: Count = Field(
        1, description="how many of the last snapshots the final picture is the median of; 1: the last alone"
    )
    tag: Annotated[Any, Kind("a word")] = Field(
        None, description="added to the generator's folder, to keep your own settings apart"
    )
    checkpoint_every: Count = Field(description="updates between two checkpoints")
    snapshot_every: Annotated[
        Count | Annotated[list[Count], Field(min_length=1)], Kind("a whole number from 1 up, or a list of updates")
    ] = Field(description="updates between two snapshots, or a list of updates")
    log_every: Count = Field(description="updates between two logged rows; metrics.csv has all")
    paths: Paths
    trainer: SharingTrainerSettings

    @model_validator(mode="after")
    def _one_target_or_many(self) -> TrainSettings:
        if self.targets is None:
            if self.trainer.devices > 1:
                raise UserError(
                    f"trainer.devices={self.trainer.devices}: a single target is made on 1 device; "
                    "several share the targets of targets="
                )
            if self.target is None:
                raise UserError(f"say what should fire, such as target=class:harmonica ({EXAMPLES}); {ALL_CLASSES}")
            return self
        if self.target is not None:
            raise UserError(f"target={self.target} and targets={self.targets}: give only one of them")
        if self.images != 1:
            raise UserError(f"images={self.images}: targets= makes one image of each target; target= can make several")
        if not self.resume:
            raise UserError(
                "targets= always resumes; to start over, give tag=NAME, or another paths.outputs and "
                "paths.checkpoints, or target=NAME resume=false for a single target"
            )
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings; those of a figure are checked panel by panel."""
        if is_figure(config):
            return
        for group in ("classifier", "generator", "objective", "optimizer"):
            if not isinstance(config.get(group), DictConfig):
                raise UserError(f"there is no {group}; choose one: {group}=NAME, from those in the manual")
        super().check(config)


class LookingSettings(TrainSettings):
    """Of a command that looks into pictures or a network, and generates pictures beside as a training does."""

    @model_validator(mode="after")
    def _one_picture_on_one_device(self) -> LookingSettings:
        if self.images != 1:
            raise UserError(f"images={self.images}: one picture is generated of each target, images=1")
        if self.trainer.devices > 1:
            raise UserError(f"trainer.devices={self.trainer.devices}: this command uses 1 device")
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings, and that the experiment, if one is given, is a setting and not a figure."""
        if is_figure(config):
            raise UserError(f"experiment={config.choices.experiment} is a figure of several pictures; give another")
        super().check(config)


def is_figure(config: DictConfig) -> bool:
    """Whether a figure is to be drawn, whose panels name the targets."""
    return config.panels is not None and config.get("target") is None and config.targets is None


def check_named(config: DictConfig, *classifiers: str) -> None:
    """Check that each of these settings names a classifier, as ``auto`` would depend on the machine.

    Raises:
        UserError: one does not.
    """
    for name in classifiers:
        group: Any = config
        for part in name.split("."):
            group = (group or {}).get(part)
        if "otherwise" in (group or {}):
            raise UserError(f"{name}=auto depends on the machine; name one, such as {name}=squeezenet1_0")
