"""The settings of fool."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.adversarial.examples.methods import METHODS
from genviz.errors import UserError, shown
from genviz.generators.perturbation import Norm
from genviz.training.schema import Ask, Count, Flag, Kind, Text
from genviz.training.settings import LookingSettings, check_named

SMALLEST = "min"
"""As epsilon: the smallest that works, found for each picture."""
RANDOM = "random"
"""As a target: a class for each picture, drawn from all but the one that the network names in it."""
_IMAGE = Ask("say which picture to perturb: image=FILE, a folder, or several, image=[FILE,FILE]")
_EPSILON = Kind("a number above 0, a fraction such as 8/255, or min")
_LARGEST = {"linf": 1.0, "l2": math.inf}


class FoolSettings(LookingSettings):
    """``genviz fool``."""

    image: Annotated[Any, _IMAGE, Kind("a picture, a folder of pictures, or a list of them")] = Field(
        description="the picture to perturb, a folder of pictures, or several"
    )
    target: Annotated[Text | None, Kind("a target, such as class:gibbon")] = Field(
        None,
        description="what the network should see; negative weights push away: filter:relu5_3:12@-1; random: a class "
        "for each picture; null: away from the class that it names in each",
    )
    method: Annotated[Text, Kind(", ".join(METHODS))] = Field(description=f"the attack: {', '.join(METHODS)}")
    epsilon: Annotated[Any, _EPSILON] = Field(
        description="the largest norm of the perturbation, in units of [0, 1]; min: the smallest that works"
    )
    norm: Annotated[Any, Kind("linf or l2")] = Field(
        description="linf: the largest absolute value; l2: the Euclidean norm of all values"
    )
    steps: Annotated[Count | None, Kind("a whole number from 1 up, or null")] = Field(
        None, description="steps of the attack; null: the method's own number"
    )
    step: Annotated[Any, Kind("a number above 0, a fraction such as 2/255, or null")] = Field(
        None, description="norm of a step; null: the method's own"
    )
    restarts: Count = Field(1, description="attacks on each picture that still holds, from other random starts")
    at_once: Annotated[Count | None, Kind("a whole number from 1 up, or null")] = Field(
        None, description="pictures attacked together; null: 16 of 224 x 224 pixels, more of smaller ones, at most 256"
    )
    truth: Annotated[Literal["folder", "file"] | None, Kind("folder, file or null")] = Field(
        None,
        description="what names each picture's true class: its folder, or its file, after the first underscore; what "
        "the network has wrong is then left alone; null: nothing",
    )
    sweep: Flag = Field(False, description="accuracy by epsilon, as a curve; also --sweep")

    @model_validator(mode="after")
    def _one_target_or_many(self) -> FoolSettings:
        if self.targets is not None:
            raise UserError(f"targets={self.targets}: all pictures have one target; give target=")
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings; without a target, there is one for each picture."""
        super().check(config)
        if str(config.target).strip().casefold() == RANDOM:
            config.choices.asked_for, config.target = RANDOM, None
        if config.epsilon is None:
            raise UserError("epsilon=null must be a number above 0, such as 8/255, or min")
        size_of(config, "epsilon")
        size_of(config, "step")
        check_named(config, "other")


def norm_of(config: DictConfig) -> Norm:
    """The configured norm.

    Raises:
        UserError: there is no such norm.
    """
    if str(config.norm) not in _LARGEST:
        raise UserError(f"norm={shown(str(config.norm))} must be linf or l2")
    return "l2" if config.norm == "l2" else "linf"


def size_of(config: DictConfig, name: str) -> float | None:
    """A norm, in units of [0, 1]; None for `SMALLEST` and for none.

    Raises:
        UserError: it is not above 0, or a largest absolute value above 1.
    """
    value, most = config[name], _LARGEST[norm_of(config)]
    if value is None or (name == "epsilon" and str(value).strip() == SMALLEST):
        return None
    try:
        number = float(Fraction(str(value).replace(" ", "")))
    except (ValueError, ZeroDivisionError, OverflowError):
        number = math.nan
    if not 0 < number <= most or not math.isfinite(number):
        limit = "above 0" if most == math.inf else "above 0, at most 1"
        also = ", or min" if name == "epsilon" else ""
        raise UserError(f"{name}={shown(str(value))} must be a number {limit}, such as 8/255{also}")
    return number
