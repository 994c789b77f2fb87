"""The settings of contributions, bias and invert."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.training.schema import Ask, Count, Flag, Folder, Index, Kind, LayerName, Number, RunName, Settings, Text
from genviz.training.settings import ALL_CLASSES, Batch, OutputPaths, TrainerSettings, TrainSettings, check_named

_A_CLASS = Ask(f"say which class, such as target=class:harmonica; {ALL_CLASSES}")
_PICTURES = Ask("say which pictures to invert: pictures=FOLDER, or pictures=FILE")
_OPTIONAL_LAYER = Kind("a layer; genviz layers CLASSIFIER lists them")


class ContributionsSettings(Settings):
    """``genviz contributions``."""

    target: Annotated[Text, _A_CLASS, Kind("a class")] = Field(description="the class, such as class:harmonica")
    layer: Annotated[LayerName | None, _OPTIONAL_LAYER] = Field(
        None,
        description="layer whose filters are ranked; null: the last convolution, ReLU or fire module with positions",
    )
    pictures: Annotated[Folder | None, Kind("a folder")] = Field(
        None, description="a folder of real pictures; null: four pictures are generated for the class"
    )
    count: Count = Field(description="how many of the pictures to use, those that score highest for the class")
    method: Annotated[Any, Kind("gradient, integrated_gradients or conductance")] = Field(
        "gradient", description="gradient: gradient times activation; the other two take 20 times as long"
    )
    top: Count = Field(description="filters in the printed table; the CSV has all")
    paths: OutputPaths
    trainer: TrainerSettings


class BiasSettings(TrainSettings):
    """``genviz bias``: those of a training, and more."""

    target: Annotated[Text, _A_CLASS, Kind("a class")] = Field(description="the class, such as class:harmonica")
    layer: Annotated[LayerName | None, _OPTIONAL_LAYER] = Field(
        None,
        description="layer whose filters are shown; null: the last convolution, ReLU or fire module with positions",
    )
    features: Annotated[LayerName | None, _OPTIONAL_LAYER] = Field(
        None, description="layer in which distance is measured; null: the input of the class scores"
    )
    count: Count = Field(description="pictures that rank the filters: those that score highest for the class")
    filters: Index = Field(description="how many filters, those that contribute most to the class; each gets a picture")
    neighbours: Count = Field(description="how many of the folder's pictures nearest to the class's to show")

    @model_validator(mode="after")
    def _one_picture(self) -> BiasSettings:
        if self.images != 1:
            raise UserError(f"images={self.images}: the report takes one picture of the class, images=1")
        return self


class InvertSettings(Settings):
    """``genviz invert``."""

    pictures: Annotated[Text, _PICTURES, Kind("a folder")] = Field(description="a folder of pictures, or one picture")
    count: Count = Field(description="how many of the pictures to invert, the first by name")
    layers: Annotated[Any, Kind("a list of layers")] = Field(
        None,
        description="layers to invert; null: those called conv, relu, pool, fire, norm or fc with a number, as in the "
        "papers, and the scores",
    )
    strengths: Annotated[
        Annotated[list[Number], Field(min_length=1)], Kind("a list of numbers from 0 up, such as [1,20,100,300]")
    ] = Field(description="values of C in Eq. 1 of Mahendran & Vedaldi (2016)")
    updates: Count = Field(description="updates per picture; the paper: 300, plus 50 without jitter")
    batch: Batch = Field("auto", description="pictures at once; auto: 1 on a CPU, 8 on a GPU")
    seed: Index = Field(description="random seed of the initial noise")
    name: RunName = Field(description="name of the output folder")
    resume: Flag = Field(description="continue the table; false: start over, with the old files renamed")
    paths: OutputPaths
    trainer: TrainerSettings

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings, and that they name a classifier."""
        super().check(config)
        check_named(config, "classifier")
