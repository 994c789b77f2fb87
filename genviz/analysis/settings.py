"""The settings of the questions that have a command of their own: contributions, bias and invert."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.training.schema import Ask, Count, Flag, Folder, Index, Kind, LayerName, Number, RunName, Settings, Text
from genviz.training.settings import ALL_CLASSES, Batch, OutputPaths, TrainerSettings, TrainSettings, check_named

_A_CLASS = Ask(f"say of which class: target=class:harmonica, for instance; {ALL_CLASSES}")
_PICTURES = Ask("say which pictures to invert: pictures=FOLDER, or pictures=FILE")
_OPTIONAL_LAYER = Kind("a layer; all of them: genviz layers CLASSIFIER")


class ContributionsSettings(Settings):
    """``genviz contributions``."""

    target: Annotated[Text, _A_CLASS, Kind("a class")] = Field(description="the class: class:harmonica")
    layer: Annotated[LayerName | None, _OPTIONAL_LAYER] = Field(
        None, description="whose filters; null: the last convolution, ReLU or fire module with positions"
    )
    pictures: Annotated[Folder | None, Kind("a folder")] = Field(
        None, description="real pictures; null: four pictures are drawn for the class"
    )
    count: Count = Field(description="pictures, those that the class scores highest")
    method: Annotated[Any, Kind("gradient, integrated_gradients or conductance")] = Field(
        "gradient", description="gradient: times activation; the other two take 20 times as long"
    )
    top: Count = Field(description="filters in the table that is printed; the CSV has all")
    paths: OutputPaths
    trainer: TrainerSettings


class BiasSettings(TrainSettings):
    """``genviz bias``: the settings of a training, and more."""

    target: Annotated[Text, _A_CLASS, Kind("a class")] = Field(description="the class: class:harmonica")
    layer: Annotated[LayerName | None, _OPTIONAL_LAYER] = Field(
        None, description="whose filters; null: the last convolution, ReLU or fire module with positions"
    )
    features: Annotated[LayerName | None, _OPTIONAL_LAYER] = Field(
        None, description="layer in whose space pictures are near; null: what the class scores are made of"
    )
    count: Count = Field(description="pictures of the class, those that it scores highest")
    filters: Index = Field(description="of the layer that are shown")
    neighbours: Count = Field(description="real pictures that are shown, the nearest")

    @model_validator(mode="after")
    def _one_picture(self) -> BiasSettings:
        if self.images != 1:
            raise UserError(f"images={self.images}: the report is about one picture of the class, images=1")
        return self


class InvertSettings(Settings):
    """``genviz invert``."""

    pictures: Annotated[Text, _PICTURES, Kind("a folder")] = Field(description="a folder of pictures, or one picture")
    count: Count = Field(description="pictures, the first by name")
    layers: Annotated[Any, Kind("a list of layers")] = Field(
        None, description="null: all convolutions, ReLUs and poolings, and the scores"
    )
    strengths: Annotated[
        Annotated[list[Number], Field(min_length=1)], Kind("a list of numbers from 0 up, such as [1,20,100,300]")
    ] = Field(description="C of Eq. 1")
    updates: Count = Field(description="the paper: 300, and 50 without jitter")
    batch: Batch = Field("auto", description="pictures at once; auto: one on a CPU, 8 on a GPU")
    seed: Index = Field(description="of the noise that each begins with")
    name: RunName = Field(description="of the folder")
    resume: Flag = Field(description="continue the table; false: start over, and keep the old files aside")
    paths: OutputPaths
    trainer: TrainerSettings


def check_contributions(config: DictConfig) -> None:
    """See that the settings of a table of contributions are of their kinds.

    Raises:
        UserError: one is missing, or not of its kind.
    """
    ContributionsSettings.check(config)


def check_bias(config: DictConfig) -> None:
    """See that the settings of a report are of their kinds.

    Raises:
        UserError: one is missing, or not of its kind.
    """
    BiasSettings.check(config)


def check_inversions(config: DictConfig) -> None:
    """See that the settings of a table of inversions are of their kinds.

    Raises:
        UserError: one is missing, or not of its kind.
    """
    InvertSettings.check(config)
    check_named(config, "classifier")
