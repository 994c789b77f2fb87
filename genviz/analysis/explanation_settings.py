"""The settings of explain."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field, model_validator

from genviz.errors import UserError
from genviz.training.schema import Ask, Count, Flag, Folder, Index, Kind, LayerName, Number, Settings, Share, Text
from genviz.training.settings import LookingSettings

_IMAGE = Ask("say which picture to explain: image=FILE, a folder, or several, image=[FILE,FILE]")
TOP1 = "top1"
"""As a target: the class that the network itself names in each picture."""


def check_stride(size: int, stride: int, group: str = "") -> None:
    """Check that occlusion's squares leave no gaps.

    Args:
        group: before the names of the settings.

    Raises:
        UserError: they do.
    """
    if stride > size:
        raise UserError(
            f"{group}stride={stride} must be at most {group}size={size}: pixels between the squares are never covered"
        )


class OcclusionSettings(Settings):
    """Of occlusion."""

    size: Count = Field(description="side of the square, in pixels of the network's input")
    stride: Count = Field(description="pixels between two squares")
    fill: Share = Field(description="grey value of the square; 0: black")

    @model_validator(mode="after")
    def _no_gaps(self) -> OcclusionSettings:
        check_stride(self.size, self.stride, "occlusion.")
        return self


class IntegratedGradientsSettings(Settings):
    """Of integrated gradients."""

    steps: Count = Field(description="points on the way to the picture")
    baseline: Share = Field(description="grey value of the picture where the way begins; 0: black")


class SmoothgradSettings(Settings):
    """Of SmoothGrad."""

    samples: Count = Field(description="noisy copies of a picture; the paper: 50")
    sigma: Number = Field(description="standard deviation of the noise, as a share of the picture's range")


class CallSettings(Settings):
    """The numbers that `genviz.explain` takes, under their names there."""

    steps: Index
    checked: Index
    at_once: Count
    size: Count
    stride: Count
    fill: Share
    points: Count
    baseline: Share
    samples: Count
    sigma: Number
    seed: Index

    @model_validator(mode="after")
    def _no_gaps(self) -> CallSettings:
        check_stride(self.size, self.stride)
        return self


class ExplainSettings(LookingSettings):
    """``genviz explain``: those of a training, for the filters' generated pictures, and more."""

    image: Annotated[Any, _IMAGE, Kind("a picture, a folder of pictures, or a list of them")] = Field(
        description="the picture to explain, a folder of pictures, or several"
    )
    target: Annotated[Text | None, Kind("a target, or top1")] = Field(
        None,
        description="what the picture is explained for; null or top1: the class that the network names in it",
    )
    method: Annotated[Any, Kind("a method, several, or all")] = Field(
        description="saliency, deconvnet, guided_backpropagation, cam, gradcam, guided_gradcam, occlusion, "
        "integrated_gradients, smoothgrad; several, or all"
    )
    layer: Annotated[LayerName | None, Kind("a layer; genviz layers CLASSIFIER lists them")] = Field(
        None, description="layer of Grad-CAM; null: the last convolution, ReLU or fire module with positions"
    )
    measure: Annotated[
        Literal["score", "probability", "log_probability"] | None,
        Kind("score, probability, log_probability or null"),
    ] = Field(
        None,
        description="what of a class is explained: its score before the softmax, its probability, which other "
        "classes lower, or the logarithm of that; null: the score, but for occlusion the probability",
    )
    occlusion: OcclusionSettings
    integrated_gradients: IntegratedGradientsSettings
    smoothgrad: SmoothgradSettings
    steps: Index = Field(description="steps of deletion and insertion, each a look at the picture; 0: neither")
    checked: Index = Field(description="how many pictures, from the first on, are compared with random weights")
    at_once: Count = Field(description="pictures in one pass")
    bar: Flag = Field(description="a colour bar with numbers beside each map")
    filters: Index = Field(
        description="how many of the layer's filters to show, those that contribute most; each gets "
        "a generated picture, as genviz train makes it"
    )
    data: Annotated[Folder | None, Kind("a folder")] = Field(
        None, description="a folder of pictures, of which the nearest in the network's features are shown"
    )
    neighbours: Count = Field(description="how many of these nearest pictures to show")

    @model_validator(mode="after")
    def _one_target_or_many(self) -> ExplainSettings:
        if self.targets is not None:
            raise UserError(f"targets={self.targets}: pictures are explained for one target; give target=")
        return self

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check the settings; a target that depends on the picture becomes None."""
        super().check(config)
        if str(config.target).strip().casefold() == TOP1:
            config.target = None

    @classmethod
    def names(cls, method: Any) -> list[str]:
        """The names in the setting ``method``, a text with commas or a list.

        Raises:
            UserError: it is neither.
        """
        names = method.split(",") if isinstance(method, str) else list(method) if isinstance(method, list) else []
        if not names or not all(isinstance(name, str) and name.strip() for name in names):
            raise UserError(f"method={method} must be a method, several with commas between them, or all")
        return names
