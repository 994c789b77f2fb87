"""Start here: what a generator, a classifier, an objective and a regularizer are.

    A generator makes images, a frozen classifier looks at them, an objective scores what it saw,
    regularizers penalize unnatural images, and an optimizer changes the generator.

Shapes: ``n`` images, ``c`` channels, ``h`` rows, ``w`` columns. Scores and penalties are one number
per image, so the images of a batch are optimized independently.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from genviz.images.notebook import table_html

SCORES = "scores"
"""The layer every classifier has: its class scores, before any softmax; (n, 0) without classes."""


class Layer(NamedTuple):
    """A layer of a classifier whose activations can be read."""

    name: str
    """The papers' name, ``relu5_1``; the module's name if there is none."""

    module: str
    """The module's name, ``features.25``."""

    shape: tuple[int, ...]
    """Without the batch: (c,), (c, h, w), or (c, tokens) for transformers; as the module has it if ``axis`` is None."""

    axis: int | None = 1
    """Which dimension of the module's output counts the channels, the batch being 0; None if that cannot be told."""

    batch: int = 0
    """Which one counts the pictures, if the module does not put them first."""

    aliases: tuple[str, ...] = ()
    """Other names of the module, if the network has it in several places."""


class Sample(NamedTuple):
    """A generator's images, and what else regularizers may penalize."""

    images: Tensor
    """(n, 3, h, w), RGB. [0, 1] can be displayed; a generator with an open range may leave it."""

    parameters: Mapping[str, Tensor]
    """The subset xi of the generator's parameters in R(xi) (Despraz et al. 2017, Eq. 2), by name, each (n, ...)."""


class Generator(nn.Module, ABC):
    """Trainable parameters that become images.

    >>> import genviz, torch
    >>> from genviz.interfaces import Sample
    >>> class Grey(genviz.Generator):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.level = torch.nn.Parameter(torch.zeros(()))
    ...
    ...     image_size = (64, 64)
    ...
    ...     def forward(self):
    ...         return Sample(self.level.sigmoid().expand(1, 3, 64, 64), {})
    >>> genviz.visualize("small", "class:cloak", generator=Grey(), updates=1, accelerator="cpu").images.unique().numel()
    1
    """

    weights_sha256: str | None = None
    """Of the file it was loaded from; None if there is none."""

    update: int | Tensor = 0
    """Updates made so far; set during training, for generators that grow. A tensor while a step is compiled."""

    together: bool | None = None
    """Whether several images are made together; None: everywhere but on a CPU, which one keeps busy."""

    holds_many: bool = False
    """Whether the constructor takes ``streams``, a `genviz.images.randomness.Streams`, and holds one image for each."""

    @classmethod
    def sha256_of(cls, **settings: Any) -> str | None:  # noqa: ARG003
        """The ``weights_sha256`` of a generator built with these arguments, without loading anything."""
        return None

    @property
    @abstractmethod
    def image_size(self) -> tuple[int, int]:
        """Rows and columns of the images."""

    @property
    def smallest_size(self) -> tuple[int, int]:
        """Rows and columns of the smallest images made during training."""
        return self.image_size

    @torch.no_grad()
    def constrain(self) -> None:
        """Project the parameters onto those that are allowed, after an update; without constraints, nothing."""

    @abstractmethod
    def forward(self) -> Sample:
        """Make the images: with noise and batch statistics in ``train`` mode, the final ones in ``eval`` mode."""


class Outline(NamedTuple):
    """What is known about a classifier without its weights: enough to parse a target."""

    labels: tuple[str, ...]
    """One label per class, in the order of the scores; none for a representation without classes, such as HOG."""

    layers: tuple[Layer, ...]
    """The layers that can be read, in execution order; `SCORES` is the last, if there are classes."""

    preactivations: Mapping[str, str]
    """For each layer that ends in a ReLU, by name: the layer name that yields the ReLU's input."""

    input_size: tuple[int, int]
    """Rows and columns of the network's input; other images are resized to it unless ``resizes`` is False."""

    resizes: bool = True

    head: str = ""
    """The module that maps features, its input ``HEAD.input``, to class scores; '' if unknown."""

    hidden: str = ""
    """Why some of its modules are not among the layers; '' if all are."""


class Classifier(nn.Module, ABC):
    """A frozen network. It alone knows its input space, size, labels and layer names; a notebook shows its layers.

    >>> import genviz, torch
    >>> classifier = genviz.load_classifier("small", input_size=64)
    >>> seen = classifier(torch.rand(2, 3, 64, 64), ["relu5_1", "scores"])
    >>> seen["scores"].shape
    torch.Size([2, 1000])
    """

    outline: Outline

    at_once: int | None = None
    """How many images the network takes in one pass; None: any number."""

    independent: bool = False
    """Whether each class's score is the log-odds of that class alone, as a detector's, and not of one among all."""

    built_from: Mapping[str, Any] | None = None
    """The settings that it was built from, less those of its weights and labels; None if it was built without."""

    weights_source: str
    """Where the weights come from: ``VGG16_Weights.IMAGENET1K_V1``, or a file name."""

    weights_sha256: str

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        """The outline of a classifier built with these arguments, without loading anything.

        Needed only by classifiers that a configuration can name.
        """
        raise NotImplementedError(f"{cls.__name__} cannot be built from a configuration")

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(chain(self.parameters(), self.buffers()), torch.zeros(())).device

    @abstractmethod
    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Run RGB ``images`` (n, 3, h, w) and return the activations of ``layers``, (n, *shape) each."""

    def in_turn(self, images: Tensor, layers: Sequence[str], at_once: int) -> dict[str, Tensor]:
        """The same, with so many ``images`` in one pass."""
        if at_once >= len(images):
            return self(images, layers)
        seen = [self(some, layers) for some in images.split(at_once)]
        return {layer: torch.cat([each[layer] for each in seen]) for layer in layers}

    def seen_through(
        self, images: Tensor, layers: Sequence[str], layer: str, part: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """The activations of ``layers``, as `forward`, with the output of ``layer`` passed through ``part``.

        Needed only to attribute them to a layer.

        Args:
            part: maps (n, *shape) to the same shape.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be changed at a layer")

    def through(self, images: Tensor, layer: str, part: Callable[[Tensor], Tensor]) -> Tensor:
        """The class scores (n, classes) of ``images`` with the output of ``layer`` passed through ``part``."""
        return self.seen_through(images, [SCORES], layer, part)[SCORES]

    def _repr_html_(self) -> str:
        rows = [
            (layer.name, "" if layer.module == layer.name else layer.module, " x ".join(map(str, layer.shape)))
            for layer in self.outline.layers
        ]
        size = " x ".join(map(str, self.outline.input_size))
        title = f"{self.weights_source}: {len(self.outline.labels):,} classes, sees {size} pixels"
        return table_html(("layer", "module", "shape"), rows, title)

    def drawn(self, images: Tensor) -> Tensor | None:  # noqa: ARG002
        """What the network sees in RGB ``images`` (n, 3, h, w), in a kind of drawing of its own, such as HOG's strokes.

        Returns:
            RGB in [0, 1], (n, 3, rows, columns); None if there is no such drawing.
        """
        return None

    def receptive_side(self, layer: str) -> int | None:  # noqa: ARG002
        """Side of the receptive field of ``layer``, in input pixels; None: the whole image, or unknown."""
        return None

    def stride(self, layers: Sequence[str]) -> int:  # noqa: ARG002
        """Input pixels between neighbouring positions of ``layers``; the largest known stride if they have none."""
        return 1


class Objective(nn.Module, ABC):
    """Scores the classifier's activations; larger is better.

    >>> import genviz
    >>> class Contrast(genviz.Objective):
    ...     layers = ("scores",)
    ...
    ...     def forward(self, seen):
    ...         return seen["scores"].std(1)
    >>> seen = genviz.visualize("small", "class:zebra", objective=Contrast(), updates=1, accelerator="cpu")
    >>> list(seen.verdicts[0].measures)
    ['score']
    """

    update: int | Tensor = 0
    """Updates made so far; set during training, for objectives with a warm-up. A tensor while a step is compiled."""

    weight: float = 1.0
    """Of the score in a sum of objectives."""

    takes_many: bool = False
    """Whether the constructor takes several targets in place of one, and scores n images, shared out evenly among the
    targets in order, in the same operations; otherwise there is an objective for each target."""

    ranked: bool = False
    """Whether the target's units should be the strongest of their layers; the verdict then depends on it."""

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        """Prepare what the score compares with, such as a picture; called once, before training.

        Args:
            size: rows and columns of the generated images.
        """

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The layers that ``forward`` reads."""

    @property
    def sought(self) -> tuple[str, ...]:
        """The layers that it tries to drive; none if it only restrains the picture."""
        return self.layers

    @abstractmethod
    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Score each image, (n,), from its activations by layer; unweighted."""

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What to report of finished images, by name, in the source's units, (n,) each."""
        return {"score": self(seen)}


class Regularizer(nn.Module, ABC):
    """Penalizes what natural images do not have; smaller is better.

    >>> import genviz
    >>> class Darkness(genviz.Regularizer):
    ...     weight = 1.0
    ...
    ...     def forward(self, sample):
    ...         return (1 - sample.images).mean((1, 2, 3))
    >>> dark = {"darkness": Darkness()}
    >>> seen = genviz.visualize("small", "class:zebra", regularizers=dark, updates=1, accelerator="cpu")
    >>> "penalty/darkness" in seen.metrics[0]
    True
    """

    weight: float

    @abstractmethod
    def forward(self, sample: Sample) -> Tensor:
        """The penalty of each image, (n,), unweighted."""
