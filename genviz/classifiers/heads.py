"""Heads, which compute class scores from a frozen network's features, and their file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, cat, nn

from genviz.classifiers.weight_files.weights import load_own
from genviz.errors import UserError
from genviz.files import atomic_write, facts_in, metadata_of

FORMAT = "genviz.heads.1"


class Shape(NamedTuple):
    """The structure of a head."""

    channels: int
    """Of the input features."""

    classes: int

    hidden: int | None = None
    """Channels of the hidden layer; None for none."""

    kernel: int = 1
    """Side of the first convolution, 1 or 3."""

    pooling: Literal["scores", "features"] = "scores"
    """What is averaged over the positions: the class scores, or the input features."""


class Head(nn.Sequential):
    """Class scores (n, classes) of feature maps (n, channels, h, w) of any size.

    With ``pooling="scores"`` each position is scored and the scores are averaged (Lin et al. 2013); with ``"features"``
    the averaged features are scored. The scores have no ReLU: before the average, it would leave an image flat wherever
    a class is not seen yet; after it, `genviz.objectives.activation` applies one.

    Raises:
        UserError: the shape is invalid.
    """

    def __init__(self, shape: Shape) -> None:
        channels, classes, hidden, kernel, pooling = shape
        numbers = [channels, classes, *([] if hidden is None else [hidden])]
        if not all(isinstance(number, int) and number > 0 for number in numbers):
            raise UserError(
                f"a head's channels, classes and hidden channels must be whole numbers above 0, not {numbers}"
            )
        if kernel not in (1, 3) or pooling not in ("scores", "features") or (kernel == 3 and pooling == "features"):
            raise UserError(
                f"head: kernel={kernel} pooling={pooling}: kernel must be 1 or 3, pooling must be scores or features, "
                "and pooling=features needs kernel=1"
            )
        average = OrderedDict(pool=nn.AdaptiveAvgPool2d(1))
        scoring: OrderedDict[str, nn.Module] = OrderedDict()
        if hidden is not None:
            scoring["hidden"] = nn.Conv2d(channels, hidden, kernel, padding=kernel // 2)
            scoring["relu"] = nn.ReLU(inplace=True)
            channels, kernel = hidden, 1
        scoring["classes"] = nn.Conv2d(channels, classes, kernel, padding=kernel // 2)
        layers = average | scoring if pooling == "features" else scoring | average
        super().__init__(layers | OrderedDict(flat=nn.Flatten()))
        self.shape = shape


class Heads(nn.ModuleList):
    """The mean of several heads' class scores: what fools one of them does not fool all.

    Args:
        shapes: one per head.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__(Head(shape) for shape in shapes)

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, classes)."""
        scores = [head(features) for head in self]
        return sum(scores[1:], start=scores[0]) / len(scores)


class Join(nn.Module):
    """Concatenates feature maps, (n, c + ..., h, w), on the grid of the last one, which is the coarsest."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Average the maps over the last one's grid and concatenate their channels."""
        grid = (maps[-1].shape[-2], maps[-1].shape[-1])
        return cat([F.adaptive_avg_pool2d(values, grid) for values in maps], 1)


class HeadsFile(NamedTuple):
    """The metadata of a file of heads."""

    shapes: tuple[Shape, ...]

    architecture: str
    """Torchvision's name of the network below the heads."""

    layers: tuple[str, ...]
    """The layers that the heads read, combined by `Join`."""

    trunk_sha256: str
    """Of the network's weights."""

    input_space: Mapping[str, Any]
    """The arguments of `genviz.classifiers.input_space.InputSpace`."""

    input_size: int
    """Side of the network's input, in pixels."""

    facts: Mapping[str, Any]
    """How they were trained: teachers, data, agreement, settings."""

    @property
    def origin(self) -> str:
        """Where the class scores come from: ``4 heads distilled from EfficientNet-Lite0``."""
        count = "a head" if len(self.shapes) == 1 else f"{len(self.shapes)} heads"
        return f"{count} distilled from {self.facts.get('teacher', 'another network')}"

    def write(self, heads: Heads, path: Path) -> None:
        """Write ``heads`` in half precision, atomically; these fields are the metadata, JSON under ``genviz``."""
        state = {name: value.half().contiguous() for name, value in heads.state_dict().items()}
        known = {**self._asdict(), "shapes": [shape._asdict() for shape in self.shapes], "format": FORMAT}
        with atomic_write(path) as file:
            file.write(save(state, metadata_of(known)))

    @classmethod
    def read(cls, path: Path) -> HeadsFile:
        """The metadata in ``path``, without the weights.

        Raises:
            UserError: there is no such file, or it holds no heads.
        """
        if not path.is_file():
            raise UserError(f"there is no file {path}; classifier.heads takes a .safetensors file from genviz distill")
        try:
            with safe_open(path, framework="pt") as file:
                known = facts_in(file.metadata())
            if known.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            shapes = tuple(Shape(**shape) for shape in known.pop("shapes"))
            return cls(shapes, **{**known, "layers": tuple(known["layers"])})
        except (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            why = str(error).strip().splitlines()[0][:120]
            raise UserError(f"{path} holds no heads ({why}); genviz distill writes them") from error

    def load(self, path: Path) -> Heads:
        """The heads in ``path``, float32, in eval mode.

        Raises:
            UserError: the file is damaged.
        """
        heads = Heads(self.shapes)
        load_own(heads, path, "get it again")
        if not all(parameter.sum().isfinite() for parameter in heads.parameters()):
            raise UserError(f"{path} holds weights that are not finite; these heads cannot classify")
        return heads.eval()
