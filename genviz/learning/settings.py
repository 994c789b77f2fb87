"""The settings of the trainings on pictures: pretraining and distillation."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.training.schema import (
    Count,
    Flag,
    Folder,
    Group,
    Index,
    Kind,
    Number,
    Precision,
    RunName,
    Settings,
    Share,
    Text,
)
from genviz.training.settings import Paths, TrainerSettings, check_named


class DataSettings(Settings):
    """The pictures, and the crops of them."""

    root: Annotated[Any, Kind("a folder, or several: [a,b]")] = Field(
        None, description="a folder of pictures, with its subfolders; several: [a,b]; or a pattern: a/**/final.png"
    )
    shares: Annotated[list[Number] | None, Kind("null, or a number for each folder, such as [2,1]")] = Field(
        None, description="how often to draw from each of several folders, [2,1]; null: equally often"
    )
    hold_out: Annotated[Count, Field(ge=2), Kind("a whole number from 2 up")] = Field(
        description="one in so many pictures of a folder is held out for validation"
    )
    area: Annotated[
        Annotated[list[Share], Field(min_length=2, max_length=2)], Kind("two numbers from 0 to 1, such as [0.5,1.0]")
    ] = Field(description="smallest and largest share of a picture that a crop covers")
    colour: Share = Field(description="largest change of brightness, contrast and saturation")
    workers: Annotated[Index | None, Kind("null or a whole number from 0 up")] = Field(
        None, description="processes that make crops; null: 1, or none on two cores"
    )
    memory: Annotated[float, Field(ge=0, le=1024), Kind("a number from 0 to 1024")] = Field(
        description="GiB of decoded pictures that each worker caches"
    )


class BankSettings(DataSettings):
    """The pictures, and the bank of their crops."""

    crops: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="crops in the bank, for many epochs; null: no bank, but new crops for each update"
    )
    chunk: Count = Field(description="crops in a file of the bank")
    bank: Folder = Field(description="folder for features and scores of crops")


class LossSettings(Settings):
    """What is added to the squared error."""

    weight_features: Number = Field(description="weight of the squared error of the activations of the classifier eye")
    features: Annotated[list[Text], Kind("a list of layers, such as [relu2_1,relu3_2]")] = Field(
        description="the layers of eye that are compared"
    )


class SeveralDevices(Settings):
    """Lightning's trainer, on one device or several."""

    accelerator: Annotated[Text, Kind("auto, cpu or gpu")] = Field(description="hardware to train on")
    devices: Annotated[Any, Kind("a number of devices")] = Field(1, description="number of devices, one process each")
    num_nodes: Count = Field(1, description="number of machines")
    strategy: Annotated[Any, Kind("auto or ddp")] = Field("auto", description="use ddp for several devices")
    precision: Precision = Field("32-true", description="number format; auto: bf16-mixed where the hardware has it")
    accumulate_grad_batches: Annotated[Any, Kind("1")] = Field(1, description="batches per update; always one")

    @model_validator(mode="after")
    def _programs_of_their_own(self) -> SeveralDevices:
        if self.accumulate_grad_batches != 1:
            raise UserError("trainer.accumulate_grad_batches: an update takes one batch here; give a larger batch")
        if any(way in str(self.strategy) for way in ("spawn", "fork", "notebook")):
            raise UserError(f"trainer.strategy={self.strategy}: processes must start as programs of their own; use ddp")
        return self


class _PictureTraining(Settings):
    name: RunName = Field(description="name of the run and its folders")
    batch: Count = Field(description="pictures per update, in each process")
    seed: Index = Field(description="random seed of the initial weights, the crops and the noise")
    resume: Flag = Field(description="continue from the checkpoint; false: start over, with the old files renamed")
    checkpoint_every: Count = Field(description="updates between two checkpoints")
    validate_every: Count = Field(description="updates between two validations")
    log_every: Count = Field(description="updates between two logged rows; metrics.csv has all")
    paths: Paths


class PretrainSettings(_PictureTraining):
    """``genviz pretrain``."""

    updates: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="number of batches to train on; null: as many as the epochs need"
    )
    epochs: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="passes over the pictures, instead of updates"
    )
    noise: Number = Field(description="standard deviation of the noise, in units of [0, 1]")
    warm_up: Annotated[Index | None, Kind("null or a whole number from 0 up")] = Field(
        None, description="updates over which the learning rate rises, before it falls as a cosine; null: constant"
    )
    data: DataSettings
    decoder: Group = Field(description="the network that becomes the generator")
    encoder: Group = Field(description="the network from pictures to codes")
    loss: LossSettings
    optimizer: Group = Field(description="a torch optimizer and its settings")
    eye: Group = Field(description="the classifier of the loss")
    trainer: SeveralDevices

    @model_validator(mode="after")
    def _one_length(self) -> PretrainSettings:
        if (self.updates is None) == (self.epochs is None):
            raise UserError("say how long to train: updates=N epochs=null, or epochs=N updates=null")
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings, and that they name a classifier."""
        super().check(config)
        check_named(config, "eye")


class DistillSettings(_PictureTraining):
    """``genviz distill``."""

    updates: Count = Field(description="number of batches to train on")
    data: DataSettings
    teacher: Group = Field(description="the classifier to learn from")
    student: Group = Field(description="the network that learns")
    distillation: Group = Field(description="how it learns")
    trainer: TrainerSettings

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings, those of heads too, and that they name their classifiers."""
        heads = isinstance(config.get("student"), DictConfig) and "heads" in config.student
        if heads and cls is DistillSettings:
            return HeadSettings.check(config)
        super().check(config)
        if heads and not isinstance(config.student.get("trunk"), DictConfig):
            raise UserError("student.trunk is a group of settings: student.trunk.SETTING=VALUE; --help lists them")
        return check_named(config, "teacher", "second_teacher", "student.trunk")


class HeadSettings(DistillSettings):
    """``genviz distill student=heads``."""

    data: BankSettings
