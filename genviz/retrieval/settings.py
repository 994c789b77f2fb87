"""The settings of neighbours and map."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.retrieval.features import Pooling
from genviz.retrieval.nearest import Metric
from genviz.targets.spelling import LISTS
from genviz.training.schema import Ask, Count, File, Folder, Kind, LayerName, Text
from genviz.training.settings import LookingSettings

_DATA = Ask("say which pictures: data=FOLDER, a folder with pictures in it or in its subfolders")
_LAYER = Kind("a layer; genviz layers CLASSIFIER lists them")
_LARGEST_SIDE = 16384  # of a picture, in pixels


class RetrievalSettings(LookingSettings):
    """What both have: a folder, a layer, and the settings of a training, for the pictures that they generate."""

    data: Annotated[Folder, _DATA, Kind("a folder")] = Field(
        description="the folder of pictures; those of its subfolders, too"
    )
    layer: Annotated[LayerName | None, _LAYER] = Field(
        None, description="layer whose activations are the features; null: the input of the class scores"
    )
    pooling: Annotated[Pooling, Kind("mean or none")] = Field(
        "mean", description="what becomes of a layer's positions: their mean, or none: each is kept"
    )


class NeighboursSettings(RetrievalSettings):
    """``genviz neighbours``."""

    image: Annotated[File | None, Kind("a file")] = Field(None, description="the picture whose neighbours are found")
    target: Annotated[Text | None, Kind("a target, such as class:harmonica")] = Field(
        None, description="or what to generate a picture of, as genviz train does: class:harmonica"
    )
    targets: Annotated[Any, Kind("null")] = Field(None, description="not used; target= takes one")
    count: Count = Field(12, description="how many neighbours")
    metric: Annotated[Metric, Kind("euclidean or cosine")] = Field(
        "euclidean", description="distance between features; cosine: 1 minus the cosine of their angle"
    )

    @model_validator(mode="after")
    def _one_target_or_many(self) -> NeighboursSettings:
        if self.targets is not None:
            raise UserError(f"targets={self.targets}: neighbours are found of one picture; give target=")
        if self.image is None and self.target is None:
            raise UserError("say whose neighbours: image=FILE, or target=class:harmonica for a generated picture")
        if self.image is not None and self.target is not None:
            raise UserError(f"image={self.image} and target={self.target}: give only one of them")
        return self


class MapSettings(RetrievalSettings):
    """``genviz map``."""

    target: Annotated[Any, Kind("null")] = Field(None, description="not used; targets= takes one or several")
    targets: Annotated[Text | None, Kind(f"a list of targets; examples: {LISTS}")] = Field(
        None, description="what to generate pictures of, which are shown among the others: class:zebra,class:tiger"
    )
    method: Annotated[Literal["tsne", "pca", "umap"], Kind("tsne, pca or umap")] = Field(
        "tsne", description="how the features become two numbers; umap needs umap-learn"
    )
    perplexity: Annotated[Literal["auto"] | Annotated[float, Field(ge=1)], Kind("auto or a number from 1 up")] = Field(
        "auto", description="of t-SNE: about how many neighbours a picture has; auto: 30, or fewer of few pictures"
    )
    thumbnail: Annotated[int, Field(ge=8, le=256), Kind("a whole number from 8 to 256")] = Field(
        64, description="side of a thumbnail, in pixels"
    )
    side: Annotated[int, Field(ge=64, le=_LARGEST_SIDE), Kind(f"a whole number from 64 to {_LARGEST_SIDE}")] = Field(
        4096, description="longest side of the two PNGs, in pixels"
    )

    @model_validator(mode="after")
    def _one_target_or_many(self) -> MapSettings:
        if self.target is not None:
            raise UserError(f"target={self.target}: a map takes one or several as targets={self.target}")
        return self
