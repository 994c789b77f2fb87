"""The settings of ``genviz fit``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field

from genviz.errors import UserError
from genviz.training.schema import Count, Flag, Group, Index, Kind, Number, RunName, Settings, Share, Text
from genviz.training.settings import Paths, TrainerSettings

FROM = "a folder with one subfolder for each class, an .npz file, or cifar10"


class LabelledDataSettings(Settings):
    """Labelled pictures."""

    root: Annotated[Text | None, Kind(FROM)] = Field(
        None, description=f"{FROM}; with subfolders train and val, these are the parts"
    )
    hold_out: Annotated[float, Field(gt=0, lt=1), Kind("a number between 0 and 1")] = Field(
        description="share of the pictures that is held out for validation, at random, if none come apart"
    )
    workers: Annotated[Index, Kind("a whole number from 0 up")] = Field(
        description="processes that decode pictures; 0: the training's own"
    )
    memory: Annotated[float, Field(ge=0, le=1024), Kind("a number from 0 to 1024")] = Field(
        description="GiB of decoded pictures that are cached"
    )


class AugmentationSettings(Settings):
    """How pictures are changed at random."""

    rotation: Annotated[float, Field(ge=0, le=180), Kind("a number from 0 to 180")] = Field(
        description="largest angle either way, in degrees"
    )
    shift: Share = Field(description="largest shift either way, as a share of the side")
    zoom: Annotated[float, Field(ge=0, le=0.9), Kind("a number from 0 to 0.9")] = Field(
        description="largest change of the size either way, as a share"
    )
    flip: Flag = Field(description="mirror half of the pictures")
    of: Annotated[Literal["training", "validation", "both"], Kind("training, validation or both")] = Field(
        description="which pictures are changed: those to train on, those to validate on, or both"
    )


class StopSettings(Settings):
    """When a training ends before its last epoch."""

    patience: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="epochs without an improvement after which the training ends; null: it does not"
    )
    by: Number = Field(description="the least improvement that counts")
    measure: Annotated[Literal["loss", "validation"], Kind("loss or validation")] = Field(
        description="the loss that has to improve: of the training or of the validation pictures"
    )


class ClassifierTraining(Settings):
    """What a first training and a second one have in common."""

    epochs: Count = Field(description="passes over the pictures")
    batch: Count = Field(description="pictures per update")
    seed: Index = Field(description="random seed of the parts, the orders, the augmentation and the weights")
    decay: Number = Field(description="the learning rate is divided by 1 + decay * update, as Keras does")
    augmentation: AugmentationSettings
    stop: StopSettings
    optimizer: Group = Field(description="a torch optimizer and its settings")
    trainer: TrainerSettings
    paths: Paths


class FitSettings(ClassifierTraining):
    """``genviz fit``."""

    name: RunName = Field(description="name of the run, its folders and its file")
    network: Group = Field(description="the network that learns")
    data: LabelledDataSettings
    input_size: Annotated[Any, Kind("a number of pixels, or two: [rows,columns]")] = Field(
        None, description="input size of the network, in pixels"
    )
    classes: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="number of class scores; null: as many as the pictures have"
    )
    normalize: Annotated[Literal["standardize", "stretch"], Kind("standardize or stretch")] = Field(
        description="by the training pictures' mean and deviation; or minus their mean, then each picture to [0, 1]"
    )
    lr_end: Annotated[float, Field(gt=0, le=1), Kind("a number above 0 and at most 1")] = Field(
        description="share of the learning rate at the end, as a half-cosine; 1: constant"
    )
    keep: Annotated[Literal["best", "last"], Kind("best or last")] = Field(
        description="the state that is written: the one of the best validation accuracy, or the last"
    )
    resume: Flag = Field(description="continue from the checkpoint; false: start over, with the old files renamed")
    checkpoint_every: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="updates between two checkpoints; null: an epoch's"
    )
    log_every: Count = Field(description="updates between two logged rows; metrics.csv has all")

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings, and that they name a network."""
        super().check(config)
        if config.data.root is None:
            raise UserError(f"say where the labelled pictures are: data.root={FROM}")
        if not isinstance((config.get("network") or {}).get("architecture"), str):
            raise UserError("say which network: network=conv, vonc, or torchvision with network.architecture=NAME")
