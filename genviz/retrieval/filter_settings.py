"""The settings of filters and patches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.attribution.projection import Projection
from genviz.errors import UserError
from genviz.training.schema import Ask, Count, File, Flag, Folder, Kind
from genviz.training.settings import LookingSettings

_A_LAYER = Ask("say which layer, such as layer=conv1_1; genviz layers CLASSIFIER lists them")
_LAYERS = Ask("say which layer, such as layer=relu4_3; genviz layers CLASSIFIER lists them")
_DATA = Ask("say where the pictures are: data=FOLDER")
_FILTERS = Ask("say which filters, such as filters=3,7 or filters=0-8 or filters=top9:harmonica or filters=all")


class FiltersSettings(LookingSettings):
    """``genviz filters``: those of a training, for the generated pictures, and more."""

    layer: Annotated[Any, _A_LAYER, Kind("a layer; genviz layers CLASSIFIER lists them")] = Field(
        description="the layer whose kernels or activation maps are shown; with image=, several with commas"
    )
    image: Annotated[File | None, Kind("a file")] = Field(
        None, description="a picture, whose activation maps of the layer are shown; null: the kernels"
    )
    order: Annotated[
        Literal["number", "norm", "similarity", "loudest"] | None, Kind("number, norm, similarity or loudest")
    ] = Field(None, description="order of the filters; loudest: by the map's maximum; null: number, of maps loudest")
    count: Annotated[Count | None, Kind("a whole number from 1 up, or null")] = Field(
        None, description="how many filters to show, the first in that order; null: all"
    )
    project: Annotated[Projection | None, Kind("null, deconvnet or guided_backpropagation")] = Field(
        None, description="also send each map of the picture back to pixels, the layer's others being 0"
    )
    generate: Flag = Field(
        False, description="also train a generator for each of the filters shown, as genviz train does"
    )

    @model_validator(mode="after")
    def _one_target_or_many(self) -> FiltersSettings:
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings; the filters are the targets."""
        _without_targets(config, "order= and count= choose them")
        super().check(config)
        if config.image is None and (config.project is not None or len(words_of(config.layer, "layer")) > 1):
            raise UserError("project= and several layers are for the maps of a picture: give image=FILE")


class PatchesSettings(LookingSettings):
    """``genviz patches``: those of a training, for the generated pictures, and more."""

    data: Annotated[Folder, _DATA, Kind("a folder")] = Field(description="folder of the real pictures")
    layer: Annotated[Any, _LAYERS, Kind("a layer, or several")] = Field(description="whose filters, one or several")
    filters: Annotated[Any, _FILTERS, Kind("filters")] = Field(
        description="which filters: 3,7 or 0-63 or all or top9:harmonica, for each of the layers"
    )
    generate: Flag = Field(True, description="whether to train a generator for each filter, as genviz train does")

    @model_validator(mode="after")
    def _one_target_or_many(self) -> PatchesSettings:
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings; the filters are the targets."""
        _without_targets(config, "name them with filters=")
        super().check(config)


def _without_targets(config: DictConfig, instead: str) -> None:
    for name in ("target", "targets"):
        if config.get(name) is not None:
            raise UserError(f"{name}={config[name]}: the targets are the filters; {instead}")


def words_of(value: Any, name: str) -> list[str]:
    """The words of a setting that takes one or several: ``3,7,top9:harmonica``, ``[3,7]``, 3.

    Raises:
        UserError: it names nothing.
    """
    several = value if isinstance(value, list) else str(value).split(",")
    words = [str(word).strip() for word in several if word is not None]
    if not all(words) or not words or isinstance(value, bool | float | dict):
        raise UserError(f"{name}={value} must be one or several, with commas between them")
    return words
