"""The settings of explain."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from genviz.errors import UserError
from genviz.training.schema import Ask, Count, Flag, Folder, Index, Kind, LayerName, Number, Settings, Share, Text
from genviz.training.settings import OutputPaths, TrainerSettings

_IMAGE = Ask("say which picture to explain: image=FILE, a folder, or several, image=[FILE,FILE]")
_TARGET = Ask("say what to explain, such as target=class:harmonica; target=top1: what the network itself says")


class OcclusionSettings(Settings):
    """Of occlusion."""

    size: Count = Field(description="side of the square, in pixels of the network's input")
    stride: Count = Field(description="pixels between two squares")
    fill: Share = Field(description="grey value of the square; 0: black")


class IntegratedGradientsSettings(Settings):
    """Of integrated gradients."""

    steps: Count = Field(description="points on the way to the picture")
    baseline: Share = Field(description="grey value of the picture where the way begins; 0: black")


class SmoothgradSettings(Settings):
    """Of SmoothGrad."""

    samples: Count = Field(description="noisy copies of a picture; the paper: 50")
    sigma: Number = Field(description="standard deviation of the noise, as a share of the picture's range")


class ExplainSettings(Settings):
    """``genviz explain``."""

    image: Annotated[Any, _IMAGE, Kind("a picture, a folder of pictures, or a list of them")] = Field(
        description="the picture to explain, a folder of pictures, or several"
    )
    target: Annotated[Text, _TARGET, Kind("a target, or top1")] = Field(
        description="what the picture is to be explained for; top1: the class that the network names in it"
    )
    method: Annotated[Any, Kind("a method, several, or all")] = Field(
        description="saliency, deconvnet, guided_backpropagation, cam, gradcam, guided_gradcam, occlusion, "
        "integrated_gradients, smoothgrad; several, or all"
    )
    layer: Annotated[LayerName | None, Kind("a layer; genviz layers CLASSIFIER lists them")] = Field(
        None, description="layer of Grad-CAM; null: the last convolution, ReLU or fire module with positions"
    )
    pictures: Annotated[Folder | None, Kind("a folder")] = Field(
        None, description="pictures of a class, for a target such as filter:relu5_1:top5:harmonica"
    )
    occlusion: OcclusionSettings
    integrated_gradients: IntegratedGradientsSettings
    smoothgrad: SmoothgradSettings
    steps: Index = Field(description="steps of deletion and insertion, each a look at the picture; 0: neither")
    checked: Index = Field(description="pictures whose maps are compared with those of random weights, the first")
    at_once: Count = Field(description="pictures in one pass")
    seed: Index = Field(description="random seed of SmoothGrad's noise")
    bar: Flag = Field(description="a colour bar with numbers beside each map")
    paths: OutputPaths
    trainer: TrainerSettings

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
