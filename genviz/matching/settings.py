"""The settings of trace."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.retrieval.features import Pooling
from genviz.training.schema import Ask, Count, Flag, Folder, Index, Kind, LayerName, Settings
from genviz.training.settings import LookingSettings

METHODS = ("harris", "sift", "words", "features")
_IMAGE = Ask("say which picture to trace: image=FILE, a folder, or several, image=[FILE,FILE]")
_PICTURES = Ask("say what it may come from: pictures=FOLDER, the folder of training pictures")
_SIZE = Kind("a whole number from 32 to 2048")
Residual = Annotated[float, Field(gt=0, allow_inf_nan=False), Kind("a number above 0")]


class HarrisSettings(Settings):
    """Of Harris corners."""

    residual: Residual = Field(description="distance below which a match is an inlier, in pixels")
    tries: Count = Field(description="affine transforms that RANSAC tries")
    mutual: Flag = Field(description="whether a match must be the best of both corners; Réda & Xu: false")


class SiftSettings(Settings):
    """Of SIFT key points."""

    residual: Residual = Field(description="distance below which a match is an inlier, in pixels; Réda & Xu: 15")
    tries: Count = Field(description="similarities that RANSAC tries, each that of one match")
    mutual: Flag = Field(description="whether a match must be the nearest of both points; Réda & Xu: false")


class WordsSettings(Settings):
    """Of visual words."""

    count: Annotated[int, Field(ge=2, le=100_000), Kind("a whole number from 2 to 100000")] = Field(
        description="how many words, centres of k-means; Réda & Xu: 10"
    )
    standardize: Annotated[Literal["words"] | bool, Kind("true, false or words")] = Field(
        description="whether descriptors are standardized; words: only the words are, as in Réda & Xu's code"
    )
    smooth: Flag = Field(
        description="whether a word in all pictures still counts; false: Réda & Xu's log(n / (df + 1)), below 0 for it"
    )


class TraceSettings(LookingSettings):
    """``genviz trace``."""

    image: Annotated[Any, _IMAGE, Kind("a picture, a folder of pictures, or a list of them")] = Field(
        description="the generated picture, a folder of them, or several, over which means are taken"
    )
    pictures: Annotated[Folder, _PICTURES, Kind("a folder")] = Field(
        description="the folder of training pictures; those of its subfolders, too"
    )
    baseline: Annotated[Folder | None, Kind("a folder")] = Field(
        None, description="a folder of other pictures to compare with, such as those of another class"
    )
    target: Annotated[Any, Kind("null")] = Field(None, description="not used; image= is given")
    targets: Annotated[Any, Kind("null")] = Field(None, description="not used; image= is given")
    method: Annotated[Any, Kind("a method, or several")] = Field(
        description="harris, sift, words or features; several with commas between them"
    )
    size: Annotated[int, Field(ge=32, le=2048), _SIZE] = Field(
        description="side to which all pictures are resized for key points and words, in pixels; Réda & Xu: 100"
    )
    noise: Index = Field(description="how often the images are replaced by noise, to compare with; 0: never")
    harris: HarrisSettings
    sift: SiftSettings
    words: WordsSettings
    layer: Annotated[LayerName | None, Kind("a layer; genviz layers CLASSIFIER lists them")] = Field(
        None, description="of method=features: the layer; null: the input of the class scores"
    )
    pooling: Annotated[Pooling, Kind("mean or none")] = Field(
        "mean", description="of method=features: the mean of a layer's positions, or none: each is kept"
    )
    bars: Count = Field(description="pictures that are drawn, those that contribute most")

    @model_validator(mode="after")
    def _one_target_or_many(self) -> TraceSettings:
        if self.target is not None or self.targets is not None:
            raise UserError("target= and targets= are not used: a picture is traced, image=FILE")
        return self


def methods_of(method: Any) -> list[str]:
    """The names in the setting ``method``, a text with commas or a list.

    Raises:
        UserError: one is unknown, or there is none.
    """
    names = method.split(",") if isinstance(method, str) else list(method) if isinstance(method, list | tuple) else []
    names = [name for name in dict.fromkeys(str(name).strip() for name in names) if name]
    if unknown := [name for name in names if name not in METHODS]:
        raise UserError(f"method={unknown[0]} is unknown; choose {', '.join(METHODS)}, or several with commas")
    if not names:
        raise UserError(f"method={method} must be {', '.join(METHODS)}, or several with commas")
    return names
