"""The settings of sticker."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.training.schema import Ask, Count, File, Folder, Group, Kind, Text
from genviz.training.settings import ALL_CLASSES, LookingSettings, check_named

_DATA = Ask("say which pictures it is pasted into: data=FOLDER, a folder with pictures in it or in its subfolders")
_LARGEST = 8192  # pixels of a side
_INCH = 2.54  # cm
Area = Annotated[float, Field(gt=0, le=1), Kind("a share of the picture, above 0 and at most 1")]


class StickerSettings(LookingSettings):
    """``genviz sticker``: those of a training, and more."""

    data: Annotated[Folder, _DATA, Kind("a folder")] = Field(
        description="the folder of pictures that it is pasted into; every second, by name, is held out to measure with"
    )
    target: Annotated[Text | None, Kind("a class, such as class:toaster")] = Field(
        None, description="the class that the network should see; class:NAME@-1: that it should no longer see"
    )
    targets: Annotated[Any, Kind("null")] = Field(None, description="not used; target= takes one")
    area: Area = Field(0.1, description="the sticker's share of the picture, about which its size varies in training")
    areas: Annotated[
        list[Area], Field(min_length=1), Kind("a list of shares of the picture, above 0 and at most 1, [0.05,0.1]")
    ] = Field(description="shares at which its success is measured")
    tried: Count = Field(1000, description="held-out pictures to measure with, evenly spaced, if there are more")
    photo: Annotated[File | None, Kind("a file")] = Field(
        None, description="a photograph of the class, whose middle is pasted in the same way, to compare with"
    )
    other: Group | None = Field(None, description="a second classifier to measure with, for which it was not made")
    print_size: Annotated[float, Field(gt=0, le=200), Kind("a width in cm, above 0 and at most 200")] = Field(
        10.0, description="width of the printed sticker, in cm"
    )
    dpi: Annotated[int, Field(ge=1, le=2400), Kind("a whole number from 1 to 2400")] = Field(
        300, description="pixels per inch of the printed sticker"
    )

    @property
    def pixels(self) -> int:
        """The side of the printed sticker."""
        return pixels(self.print_size, self.dpi)

    @model_validator(mode="after")
    def _one_target_or_many(self) -> StickerSettings:
        if self.targets is not None:
            raise UserError(f"targets={self.targets}: a sticker is of one class; give target=")
        if self.target is None:
            raise UserError(f"say which class the network should see, such as target=class:toaster; {ALL_CLASSES}")
        if not 8 <= self.pixels <= _LARGEST:
            raise UserError(
                f"print_size={self.print_size:g} dpi={self.dpi}: {self.pixels} pixels a side; 8 to {_LARGEST} work"
            )
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings, and that the second classifier, if any, is named."""
        super().check(config)
        check_named(config, "other")


def pixels(print_size: float, dpi: int) -> int:
    """The pixels of ``print_size`` cm."""
    return round(print_size / _INCH * dpi)
