"""The methods, under the papers' names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Literal, NamedTuple

from torch import Tensor

from genviz.attribution.cam import cam, gradcam, guided_gradcam
from genviz.attribution.gradients import integrated_gradients, saliency, smoothgrad
from genviz.attribution.occlusion import occlusion
from genviz.attribution.rectified import Scores, deconvnet, guided_backpropagation
from genviz.attribution.score import Measure
from genviz.errors import UserError, shown
from genviz.interfaces import Layer

Kind = Literal["region", "pixels", "projection"]


class Settings(NamedTuple):
    """What the methods can be told; each takes what it needs."""

    layer: Layer | None
    """Of Grad-CAM; the layer whose maps are weighted. None: there is none with positions."""
    pooled: Layer | None
    """Of CAM: the last layer with positions."""
    size: int = 32
    """Of occlusion: side of the square, in pixels."""
    stride: int = 16
    """Of occlusion: pixels between two squares."""
    fill: float = 0.5
    """Of occlusion: the square's grey value, in [0, 1]."""
    points: int = 50
    """Of integrated gradients, on the way to the picture."""
    baseline: float = 0.0
    """Of integrated gradients: the grey value that they start from."""
    samples: int = 25
    """Of SmoothGrad: noisy copies."""
    sigma: float = 0.15
    """Of SmoothGrad: standard deviation of the noise, as a share of the picture's range."""
    seed: int = 0
    at_once: int = 8
    """Pictures in one pass."""


class Method(NamedTuple):
    """A way to say which pixels make a target fire."""

    name: str
    """In settings and file names."""
    title: str
    source: str
    kind: Kind
    """How its maps are shown: ``region``, over the picture; ``pixels``, alone; ``projection``, in grey around zero."""
    function: Callable[..., Tensor]
    """Called with a score, pictures (n, 3, h, w), and those of the `Settings` that it takes."""
    takes: tuple[str, ...] = ()
    measure: Measure = "score"
    """By which its authors explain a class."""
    only: bool = False
    """Whether it is defined for no other."""

    def attribute(self, score: Scores, images: Tensor, settings: Settings) -> Tensor:
        """The maps of ``images`` (n, 3, h, w), (n, h, w); of a projection, (n, 3, h, w).

        Raises:
            UserError: the method cannot be used with this network, target or layer.
        """
        made: Tensor = self.function(score, images, **{name: getattr(settings, name) for name in self.takes})
        return made.detach()


METHODS = {
    method.name: method
    for method in (
        Method("saliency", "saliency", "Simonyan et al. 2014", "pixels", saliency),
        Method("deconvnet", "DeconvNet", "Zeiler & Fergus 2014", "projection", deconvnet),
        Method(
            *("guided_backpropagation", "guided backpropagation", "Springenberg et al. 2015", "projection"),
            guided_backpropagation,
        ),
        Method("cam", "CAM", "Zhou et al. 2016", "region", cam, ("pooled",), only=True),
        Method("gradcam", "Grad-CAM", "Selvaraju et al. 2017", "region", gradcam, ("layer",)),
        Method("guided_gradcam", "guided Grad-CAM", "Selvaraju et al. 2017", "projection", guided_gradcam, ("layer",)),
        Method(
            *("occlusion", "occlusion", "Zeiler & Fergus 2014", "region", occlusion),
            *(("size", "stride", "fill", "at_once"), "probability"),
        ),
        Method(
            *("integrated_gradients", "integrated gradients", "Sundararajan et al. 2017", "pixels"),
            *(integrated_gradients, ("points", "baseline", "at_once")),
        ),
        Method(
            *("smoothgrad", "SmoothGrad", "Smilkov et al. 2017", "pixels", smoothgrad),
            ("samples", "sigma", "seed", "at_once"),
        ),
    )
}
"""Every method, by name."""
ALL = "all"


def find_methods(names: Sequence[str]) -> list[Method]:
    """The methods of these names, each once; ``all``: every one.

    Raises:
        UserError: there is no such method.
    """
    found: dict[str, Method] = {}
    for name in names:
        plain = name.strip().casefold().replace("-", "_").replace(" ", "_")
        if plain == ALL:
            found |= METHODS
        elif plain in METHODS:
            found[plain] = METHODS[plain]
        else:
            near = get_close_matches(plain, METHODS, n=1)
            meant = f"did you mean {near[0]}? There are " if near else "there are "
            raise UserError(f"method={shown(name)}: there is no such method; {meant}{', '.join(METHODS)}")
    return list(found.values())


def importance(maps: Tensor) -> Tensor:
    """How much each pixel matters by these maps, (n, h, w): of a projection, its largest absolute value."""
    return maps.abs().amax(1) if maps.ndim == 4 else maps
