"""The settings of what is trained on pictures: pretraining and distillation."""

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
    """The pictures, and crops of them."""

    root: Annotated[Any, Kind("a folder, or several: [a,b]")] = Field(
        None, description="folders of pictures, however nested, or some files of one: a/**/final.png"
    )
    shares: Annotated[Any, Kind("null, or a number for each folder")] = Field(
        None, description="how often each of several folders is drawn from, [2,1]; null: equally often"
    )
    hold_out: Annotated[Count, Field(ge=2), Kind("a whole number from 2 up")] = Field(
        description="one picture in so many is held out of the training, and measured on"
    )
    area: Annotated[Any, Kind("two shares, [0.5,1.0]")] = Field(
        None, description="share of a picture that a crop covers"
    )
    colour: Share = Field(description="largest change of brightness, contrast and saturation")
    workers: Annotated[Index | None, Kind("null or a whole number from 0 up")] = Field(
        None, description="processes that cut crops; null: 1, or none on two cores"
    )
    memory: Annotated[float, Field(ge=0, le=1024), Kind("a number from 0 to 1024")] = Field(
        description="GiB of decoded pictures that each worker keeps"
    )


class BankSettings(DataSettings):
    """The pictures, and what is kept of their crops."""

    crops: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="crops in the bank; null: as many as the updates need"
    )
    chunk: Count = Field(description="crops in a file of the bank")
    bank: Folder = Field(description="where features and scores of crops are kept")


class LossSettings(Settings):
    """The squared error, and what is added to it."""

    weight_features: Number = Field(description="of the squared error of what the classifier eye sees")
    features: Annotated[list[Text], Kind("a list of layers, such as [relu2_1,relu3_2]")] = Field(
        description="its layers"
    )


class SeveralDevices(Settings):
    """Lightning's trainer, on one device or several."""

    accelerator: Annotated[Text, Kind("auto, cpu or gpu")] = Field(description="what to train on")
    devices: Annotated[Any, Kind("a number of devices")] = Field(1, description="processes, of one device each")
    num_nodes: Count = Field(1, description="machines")
    strategy: Annotated[Any, Kind("auto or ddp")] = Field("auto", description="ddp for several devices")
    precision: Precision = Field("32-true", description="bf16-mixed is faster on recent machines")
    accumulate_grad_batches: Annotated[Any, Kind("1")] = Field(1, description="an update has one batch")

    @model_validator(mode="after")
    def _programs_of_their_own(self) -> SeveralDevices:
        if self.accumulate_grad_batches != 1:
            raise UserError("trainer.accumulate_grad_batches: an update has one batch here; give a larger batch")
        if any(way in str(self.strategy) for way in ("spawn", "fork", "notebook")):
            raise UserError(f"trainer.strategy={self.strategy}: processes start as programs of their own; take ddp")
        return self


class _PictureTraining(Settings):
    name: RunName = Field(description="of the run and of its folders")
    batch: Count = Field(description="pictures in an update, in each process")
    seed: Index = Field(description="of the first weights, the crops and the noise")
    resume: Flag = Field(description="continue the checkpoint; false: start over, and keep the old files aside")
    checkpoint_every: Count = Field(description="updates between two checkpoints")
    validate_every: Count = Field(description="updates between two validations")
    log_every: Count = Field(description="updates between two rows of the logger; metrics.csv has all")
    paths: Paths


class PretrainSettings(_PictureTraining):
    """``genviz pretrain``."""

    updates: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="of one batch each; null: as many as the epochs need"
    )
    epochs: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="passes over the pictures, instead of updates"
    )
    noise: Number = Field(description="standard deviation, for RGB in [0, 1]")
    warm_up: Annotated[Index | None, Kind("null or a whole number from 0 up")] = Field(
        None, description="updates in which the learning rate rises, to fall as a cosine after; null: constant"
    )
    data: DataSettings
    decoder: Group = Field(description="the generator")
    encoder: Group = Field(description="its mirror")
    loss: LossSettings
    optimizer: Group = Field(description="torch's")
    eye: Group = Field(description="the classifier of the loss")
    trainer: SeveralDevices

    @model_validator(mode="after")
    def _one_length(self) -> PretrainSettings:
        if (self.updates is None) == (self.epochs is None):
            raise UserError("say how long to train, by updates=N epochs=null or by epochs=N updates=null")
        return self


class DistillSettings(_PictureTraining):
    """``genviz distill``."""

    updates: Count = Field(description="of one batch each")
    data: DataSettings
    teacher: Group = Field(description="the classifier whose scores are learnt")
    student: Group = Field(description="what learns")
    distillation: Group = Field(description="how it learns")
    trainer: TrainerSettings


class HeadSettings(DistillSettings):
    """``genviz distill student=heads``."""

    data: BankSettings


def check_pretraining(config: DictConfig) -> None:
    """See that the settings of a pretraining are of their kinds.

    Raises:
        UserError: one is missing, or not of its kind.
    """
    PretrainSettings.check(config)
    check_named(config, "eye")


def check_distillation(config: DictConfig) -> None:
    """See that the settings of a distillation are of their kinds.

    Raises:
        UserError: one is missing, or not of its kind.
    """
    heads = isinstance(config.get("student"), DictConfig) and "heads" in config.student
    (HeadSettings if heads else DistillSettings).check(config)
    if heads and not isinstance(config.student.get("trunk"), DictConfig):
        raise UserError("student.trunk is a group of settings: student.trunk.SETTING=VALUE; --help lists them")
    check_named(config, "teacher", "second_teacher", "student.trunk")
