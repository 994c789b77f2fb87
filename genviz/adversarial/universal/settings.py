"""The settings of universal."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.adversarial.universal.steps import LARGEST
from genviz.errors import UserError
from genviz.generators.perturbation import Norm
from genviz.training.schema import Ask, Count, Folder, Fraction, Kind, Number, Settings, Share, fraction
from genviz.training.settings import LookingSettings, check_named

_DATA = Ask("say which pictures: data=FOLDER, a folder with pictures in it or in its subfolders")
_GENERATOR = "perturbation_for_all"
_OTHERS = ("other", "second_other")

_Norm = Annotated[Norm, Kind("linf or l2")]


class DeepFoolSettings(Settings):
    """Of DeepFool."""

    classes: Annotated[int, Field(ge=2), Kind("a whole number from 2 up")] = Field(
        description="the boundaries to so many of the strongest classes are measured, less the picture's own"
    )
    steps: Count = Field(description="steps at most, for each picture")
    overshoot: Number = Field(description="how much further than to the boundary, as a share of the way")
    norm: _Norm = Field(description="in which DeepFool's step is the shortest, l2 or linf")


class UniversalSettings(LookingSettings):
    """``genviz universal``: those of a training, for ``method=gradient``, and more."""

    data: Annotated[Folder, _DATA, Kind("a folder")] = Field(
        description="the folder of pictures; those of its subfolders, too; every other one is held out"
    )
    xi: Fraction = Field(
        description="how large it may be: with norm=linf its largest value, with norm=l2 its root mean square",
    )
    norm: _Norm = Field("linf", description="norm in which the perturbation is small, linf or l2")
    method: Annotated[Literal["gradient", "deepfool"], Kind("gradient or deepfool")] = Field(
        "gradient", description="gradient: projected gradient ascent; deepfool: the published algorithm"
    )
    at_once: Count = Field(16, description="pictures in one pass, and with method=gradient in one update")
    enough: Number = Field(
        20.0,
        description="method=gradient: a picture counts until the probability of its own class is e^-enough",
    )
    fooled: Share = Field(0.8, description="method=deepfool: the share of the pictures after which it ends, 1 - delta")
    passes: Count = Field(10, description="method=deepfool: passes over the pictures, at most")
    deepfool: DeepFoolSettings
    target: Annotated[Any, Kind("null")] = Field(None, description="not used; the class is to be any other")
    targets: Annotated[Any, Kind("null")] = Field(None, description="not used")

    @model_validator(mode="after")
    def _one_target_or_many(self) -> UniversalSettings:
        for name in ("target", "targets"):
            if (value := getattr(self, name)) is not None:
                raise UserError(f"{name}={value}: a universal perturbation has no target; leave it out")
        if not 1 / 255 <= self.xi <= LARGEST:
            raise UserError(f"xi={self.xi:.4g} must be from 1/255, the step of 8 bits, to 127/255, half their range")
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings; xi becomes a number."""
        super().check(config)
        config.xi = fraction(config.xi)
        _check_generator(config)
        check_named(config, *_OTHERS)


def _check_generator(config: DictConfig) -> None:
    """Check that the generator is the one that keeps to ``xi`` and ``norm``, at the size of the pictures.

    Raises:
        UserError: it is not.
    """
    if (chosen := config.choices.generator) != _GENERATOR:
        raise UserError(f"generator={chosen}: a universal perturbation is made by generator={_GENERATOR}")
    own = config.generator
    if own.get("size") != "auto":
        raise UserError(
            f"generator.size={own.get('size')}: it is that of the network's input; classifier.input_size sets it"
        )
    if (own.get("xi"), str(own.get("norm"))) != (config.xi, config.norm):
        raise UserError("generator.xi and generator.norm follow from xi and norm; set those")
