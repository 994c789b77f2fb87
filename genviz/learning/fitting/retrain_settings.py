"""The settings of ``genviz retrain``."""

from __future__ import annotations

from typing import Annotated

from omegaconf import DictConfig
from pydantic import Field

from genviz.learning.fitting.settings import ClassifierTraining
from genviz.training.schema import Ask, Count, Flag, Folder, Group, Kind, RunName, Settings, Text
from genviz.training.settings import ALL_CLASSES, check_named


class DrawingSettings(Settings):
    """How the target is drawn."""

    experiment: Annotated[Text | None, Kind("null or the name of an experiment")] = Field(
        None, description="experiment, as for genviz train; null: its default generator"
    )
    updates: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="updates of the picture; null: the experiment's"
    )
    settings: Annotated[list[Text], Kind("a list of settings, such as [generator.size=128]")] = Field(
        description="more of its settings"
    )
    stretched: Flag = Field(
        description="whether a network that was trained on stretched pictures draws in them; "
        "false: it sees 0-255 minus the mean colour, as it is"
    )


class RetrainSettings(ClassifierTraining):
    """``genviz retrain``."""

    target: Annotated[
        Text, Kind("a class, class:tabby"), Ask(f"say what to draw: target=class:NAME; {ALL_CLASSES}")
    ] = Field(description="the class that is drawn, and learned if the pictures' folder has no subfolders")
    pictures: Annotated[Folder, Ask("say which pictures it learns: pictures=FOLDER")] = Field(
        description="the folder of pictures: all of the target's class, or with one subfolder for each class"
    )
    runs: Count = Field(description="how often, each time from the same network, with the seeds seed, seed + 1, ...")
    every: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="epochs between two pictures of the video; null: only before and after"
    )
    hold_out: Annotated[float, Field(gt=0, lt=1), Kind("a number between 0 and 1")] = Field(
        description="share of the pictures that is held out for validation, at random"
    )
    repeat: Annotated[Count | None, Kind("null or a whole number from 1 up")] = Field(
        None, description="repeat the pictures to this many, before some are held out; null: as they are"
    )
    classifier: Group = Field(description="the network")
    drawing: DrawingSettings
    tag: Annotated[RunName | None, Kind("null or a folder name")] = Field(
        None, description="added to the folder's name"
    )
    resume: Flag = Field(description="go on where an earlier call ended; false: start over")
    log_every: Count = Field(description="updates between two logged rows; metrics.csv has all")

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings, and that they name a classifier."""
        super().check(config)
        check_named(config, "classifier")
