"""Class scores of a frozen network's features: heads, and the file that holds several of them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, cat, nn

from genviz.errors import UserError
from genviz.files import atomic_write

FORMAT = "genviz.heads.1"


class Shape(NamedTuple):
    """How a head is built."""

    channels: int
    """Of the features that it reads."""

    classes: int

    hidden: int | None = None
    """Channels of its hidden layer; None for none."""

    kernel: int = 1
    """Side of the first convolution, 1 or 3."""

    pooling: Literal["scores", "features"] = "scores"
    """What is averaged over the positions: the class scores of each, or the features that go in."""


class Head(nn.Sequential):
    """Class scores (n, classes) of feature maps (n, channels, h, w) of any size.

    With ``pooling="scores"`` each position is scored by itself and the scores are averaged (Lin et al. 2013); with
    ``"features"`` the average position is. There is no ReLU on the scores, neither before the average, where it leaves
    a picture flat wherever a class is not seen yet, nor after it, where `genviz.objectives.activation` has it.

    Raises:
        UserError: there is no head of this shape.
    """

    def __init__(self, shape: Shape) -> None:
        channels, classes, hidden, kernel, pooling = shape
        numbers = [channels, classes, *([] if hidden is None else [hidden])]
        if not all(isinstance(number, int) and number > 0 for number in numbers):
            raise UserError(f"a head's channels, classes and hidden channels are whole numbers above 0, not {numbers}")
        if kernel not in (1, 3) or pooling not in ("scores", "features") or (kernel == 3 and pooling == "features"):
            raise UserError(
                f"head: kernel={kernel} pooling={pooling}: a kernel is 1 or 3, pooling is scores or features, "
                "and averaged features take kernel=1"
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
        shapes: of each head.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__(Head(shape) for shape in shapes)

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, classes)."""
        scores = [head(features) for head in self]
        return sum(scores[1:], start=scores[0]) / len(scores)


class Join(nn.Module):
    """Feature maps of several layers as one, (n, c + ..., h, w), in the positions of the last, which has the fewest."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Average the others over the last one's positions, and put the channels one after another."""
        grid = (maps[-1].shape[-2], maps[-1].shape[-1])
        return cat([F.adaptive_avg_pool2d(values, grid) for values in maps], 1)


class HeadsFile(NamedTuple):
    """What a file of heads says of itself."""

    shapes: tuple[Shape, ...]

    architecture: str
    """Torchvision's name of the network that they stand on."""

    layers: tuple[str, ...]
    """Those of its layers that they read, `Join`\\ ed."""

    trunk_sha256: str
    """Of the weights that the network had."""

    input_space: Mapping[str, Any]
    """The arguments of `genviz.classifiers.input_space.InputSpace`."""

    input_size: int
    """What they are to see, in pixels."""

    facts: Mapping[str, Any]
    """How they came about: teachers, data, agreement, settings."""

    @property
    def origin(self) -> str:
        """What made the class scores: ``4 heads distilled from EfficientNet-Lite0``."""
        count = "a head" if len(self.shapes) == 1 else f"{len(self.shapes)} heads"
        return f"{count} distilled from {self.facts.get('teacher', 'another network')}"

    def write(self, heads: Heads, path: Path) -> None:
        """Write ``heads`` in half precision, atomically; all of this is the file's metadata, JSON under ``genviz``."""
        state = {name: value.half().contiguous() for name, value in heads.state_dict().items()}
        known = {**self._asdict(), "shapes": [shape._asdict() for shape in self.shapes], "format": FORMAT}
        with atomic_write(path) as file:
            file.write(save(state, {"genviz": json.dumps(known)}))

    @classmethod
    def read(cls, path: Path) -> HeadsFile:
        """What ``path`` says, without the weights.

        Raises:
            UserError: there is no such file, or it holds no heads.
        """
        if not path.is_file():
            raise UserError(f"there is no file {path}; classifier.heads takes a .safetensors file of distill.py's")
        try:
            with safe_open(path, framework="pt") as file:
                known = json.loads((file.metadata() or {})["genviz"])
            if known.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            shapes = tuple(Shape(**shape) for shape in known.pop("shapes"))
            return cls(shapes, **{**known, "layers": tuple(known["layers"])})
        except (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            why = str(error).strip().splitlines()[0][:120]
            raise UserError(f"{path} holds no heads ({why}); distill.py writes them") from error

    def load(self, path: Path) -> Heads:
        """The heads in ``path``, float32, in eval mode.

        Raises:
            UserError: the file is damaged.
        """
        heads = Heads(self.shapes)
        try:
            heads.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError) as error:
            raise UserError(f"{path} is damaged ({str(error).splitlines()[0][:120]}); get it again") from error
        if not all(parameter.sum().isfinite() for parameter in heads.parameters()):
            raise UserError(f"{path} holds numbers that are not finite; these heads cannot classify")
        return heads.eval()
