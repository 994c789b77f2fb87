"""The page to read first: what a generator, a classifier, an objective and a regularizer are.

    A generator makes images, a frozen classifier looks at them, an objective scores what it saw,
    regularizers charge for unnatural images, and an optimizer changes the generator.

Shapes: ``n`` images, ``c`` channels, ``h`` rows, ``w`` columns. Everything returns one number per
image, so that the images of a batch are optimized as if each were alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

SCORES = "scores"
"""The layer that every classifier has: its class scores, before any softmax."""


class Layer(NamedTuple):
    """A layer of a classifier that can be looked at."""

    name: str
    """As the papers call it, ``relu5_1``; the module's name where they have none."""

    module: str
    """As torchvision calls it, ``features.25``."""

    shape: tuple[int, ...]
    """Without the batch: (c,), (c, h, w), or (c, tokens) in a transformer."""


class Sample(NamedTuple):
    """What a generator made, and what a regularizer may charge for."""

    images: Tensor
    """(n, 3, h, w), RGB. [0, 1] can be displayed; a generator without an output range may leave it."""

    parameters: Mapping[str, Tensor]
    """The subset xi of the generator's parameters in R(xi) (Despraz et al. 2017, Eq. 2), by name, each (n, ...)."""


class Generator(nn.Module, ABC):
    """Trainable numbers that become images."""

    weights_sha256: str | None = None
    """Of the file that it was filled from; None for none."""

    update: int = 0
    """How many updates have been made; the training sets it, for generators that grow."""

    holds_many: bool = False
    """Whether its constructor takes ``streams``, a `genviz.images.randomness.Streams`, and holds an image for each."""

    @classmethod
    def sha256_of(cls, **settings: Any) -> str | None:  # noqa: ARG003
        """``weights_sha256`` of the generator that these constructor's arguments make; without loading anything."""
        return None

    @property
    @abstractmethod
    def image_size(self) -> tuple[int, int]:
        """Rows and columns of the images."""

    @property
    def smallest_size(self) -> tuple[int, int]:
        """Rows and columns of the smallest images that it makes on the way."""
        return self.image_size

    @abstractmethod
    def forward(self) -> Sample:
        """Make the images: with noise and batch statistics in ``train`` mode, the settled ones in ``eval`` mode."""


class Outline(NamedTuple):
    """What is known of a classifier without its weights; enough to understand a target."""

    labels: tuple[str, ...]
    """One label for each class, in the order of the scores."""

    layers: tuple[Layer, ...]
    """The layers that can be looked at, in the order in which they are computed; `SCORES` is the last."""

    preactivations: Mapping[str, str]
    """For each layer that ends in a ReLU, by name: what to ask the classifier for to see what goes into the ReLU."""

    input_size: tuple[int, int]
    """Rows and columns that the network sees; images of another size are resized to it, unless ``resizes`` is False."""

    resizes: bool = True

    head: str = ""
    """The module that makes class scores of features, which are its input, ``HEAD.input``; '' where none is known."""


class Classifier(nn.Module, ABC):
    """A frozen network. It alone knows its input space, input size, labels and layer names."""

    outline: Outline

    weights_source: str
    """What its weights are, ``VGG16_Weights.IMAGENET1K_V1`` or a file's name."""

    weights_sha256: str

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        """The outline of the classifier that these constructor's arguments make; without loading anything.

        Only a classifier that a configuration can name needs it.
        """
        raise NotImplementedError(f"{cls.__name__} is not made from a configuration")

    @abstractmethod
    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Look at RGB ``images`` (n, 3, h, w) and return what each of ``layers`` computed, (n, *shape)."""

    def through(self, images: Tensor, layer: str, part: Callable[[Tensor], Tensor]) -> Tensor:
        """The class scores (n, classes) of ``images`` if what ``layer`` computes first went through ``part``.

        Only what asks for a layer's share in the scores needs it.

        Args:
            part: from (n, *shape) to the same shape.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be changed at a layer")

    def receptive_side(self, layer: str) -> int | None:  # noqa: ARG002
        """The side of the square that a position of ``layer`` looks at, in input pixels; None: all, or not known."""
        return None

    def stride(self, layers: Sequence[str]) -> int:  # noqa: ARG002
        """Input pixels from one position of the ``layers`` to the next; the last known, where they have none."""
        return 1


class Objective(nn.Module, ABC):
    """Scores what the classifier saw; larger is better."""

    update: int = 0
    """How many updates have been made; the training sets it, for objectives that begin differently."""

    weight: float = 1.0
    """Of its score beside other objectives'."""

    ranked: bool = False
    """Whether the target's units shall be the strongest of their layers; by this, then, a picture is judged."""

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        """Look at what the score compares with, such as a picture; called once, before the training.

        Args:
            size: rows and columns of the images that will be made.
        """

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The layers that ``forward`` reads."""

    @abstractmethod
    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Score each image, (n,), from its activations by layer; before the weight."""

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What to say of finished images, by name and in the source's units, (n,) each."""
        return {"score": self(seen)}


class Regularizer(nn.Module, ABC):
    """Charges for what natural images do not have; smaller is better."""

    weight: float

    @abstractmethod
    def forward(self, sample: Sample) -> Tensor:
        """The penalty of each image, (n,), before its weight."""
