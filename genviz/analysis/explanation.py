"""Which pixels of a picture make a target fire, with numbers that say how far to believe it."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.analysis.explanation_settings import TOP1
from genviz.attribution.cam import has_places
from genviz.attribution.faithfulness import Faithfulness, faithfulness
from genviz.attribution.methods import Method, Settings, importance
from genviz.attribution.randomization import likeness, randomized
from genviz.attribution.rectified import Scores
from genviz.attribution.score import Measure, Score, class_of
from genviz.errors import UserError, out_of_memory
from genviz.images.maps import Scaled, alone, over, scaled, signed_picture
from genviz.images.pictures import display
from genviz.interfaces import SCORES, Classifier, Layer, Outline
from genviz.targets.grammar import Target, parse_target
from genviz.targets.layers import find_filters
from genviz.targets.selections import usual_layer

NO_CLASSES = "the network has no classes; say what to explain, such as target=filter:LAYER:3"
_HALF, _WHOLE = 0.5, 1.0  # of the layers that are made random
_ALIKE = 0.5  # rank correlation from which a map counts as the same
_NETWORKS = {_HALF: 3, _WHOLE: 1}  # that are compared with; one may be nearly dead
_DRAWS = 12  # of random weights at most, for those to which the target reacts
_PIXELS_END = 99.0  # percentile at which maps of pixels are clipped


class Likeness(NamedTuple):
    """The rank correlation of a map with that of random weights, 1: the same order of pixels; the median of several."""

    half: float
    """With the upper half of the layers random."""
    whole: float
    """With all of them."""

    @property
    def depends(self) -> bool:
        """Whether the map depends on the upper half's weights."""
        return self.half < _ALIKE


class Explained(NamedTuple):
    """One picture's map by one method."""

    method: Method
    values: Tensor
    """(h, w), or for a projection (3, h, w), on the CPU."""
    faithfulness: Faithfulness | None
    likeness: Likeness | None
    """None if it was not asked for, the weights cannot be changed, or there is nothing to compare."""

    def picture(self, image: Tensor) -> tuple[Tensor, Scaled | None]:
        """The map of ``image`` (3, h, w) as bytes (h, w, 3), and the scale of its colours."""
        if self.method.kind == "projection":
            return signed_picture(self.values), None
        if self.method.kind == "pixels":
            shown = scaled(self.values, _PIXELS_END)
            return alone(shown), shown
        shown = scaled(self.values)
        return over(display(image).cpu(), shown), shown

    def verdict(self, random: Faithfulness | None) -> str:
        """One line on how far to believe the map; ``random``: that of pixels in no order."""
        if not self.values.any():
            return "the map is 0 everywhere: by this method, no pixel makes the target fire"
        told = []
        if self.faithfulness is not None and random is not None:
            own, chance = self.faithfulness, random
            told.append(
                f"deletion {own.deletion:.3f} (no order: {chance.deletion:.3f}), "
                f"insertion {own.insertion:.3f} ({chance.insertion:.3f})"
            )
        if self.likeness is not None:
            says = "depends" if self.likeness.depends else "hardly depends"
            told.append(f"{says} on the upper layers' weights (rank correlation {self.likeness.half:.2f} without them)")
        return "; ".join(told) or "not checked"


class Value(NamedTuple):
    """What is measured while pixels go and come."""

    name: str
    of: Callable[[Tensor], Tensor]
    """Maps pictures (n, 3, h, w) to (n,)."""


class Explainer:
    """Explains pictures by several methods.

    Args:
        classifier: looks at the pictures.
        methods: in order.
        settings: of the methods, with the layers that suit the network and the target.
        steps: of deletion and insertion; 0: neither.
        measure: what of a class is explained; None: what each method's authors do.
        tolerant: leave out the methods that a network or target does not allow, and tell.
    """

    def __init__(
        self,
        classifier: Classifier,
        methods: Sequence[Method],
        settings: Settings,
        *,
        steps: int = 20,
        measure: Measure | None = None,
        tolerant: bool = False,
    ) -> None:
        self.classifier, self.methods, self.settings, self.steps = classifier, methods, settings, steps
        self.measure, self.tolerant = measure, tolerant
        self.left_out: dict[str, str] = {}

    def target(self, text: str, image: Tensor) -> Target:
        """The target that ``text`` means for ``image`` (1, 3, h, w)."""
        outline = self.classifier.outline
        if text.strip().casefold() == TOP1:
            if not outline.labels:
                raise UserError(NO_CLASSES)
            with torch.no_grad():
                best = int(self.classifier(image, [SCORES])[SCORES][0].argmax())
            text = f"class:{best}"
        return parse_target(text, outline.labels, outline.layers)

    def unordered(self, target: Target, image: Tensor) -> Faithfulness | None:
        """Deletion and insertion of pixels in no order, to compare with."""
        if not self.steps:
            return None
        nothing = torch.zeros(image.shape[2:], device=image.device)
        return faithfulness(
            value_of(self.classifier, target, image).of, image, nothing, steps=self.steps, at_once=self.settings.at_once
        )

    def explain(
        self,
        image: Tensor,
        target: Target,
        *,
        checked: bool = False,
        told: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Explained]:
        """Explain ``image`` (1, 3, h, w), RGB in [0, 1], method by method.

        Args:
            checked: also compare each map with those of random weights.
            told: called with how many of those are computed.

        Raises:
            UserError: a method cannot be used here.
        """
        value = value_of(self.classifier, target, image).of
        random = self._random_maps(target, image, told) if checked else {}
        for method in self.methods:
            try:
                maps = method.attribute(self._score(method, self.classifier, target, image), image, self.settings)
            except UserError as error:
                if not self.tolerant:
                    raise
                self.left_out[method.name] = str(error)
                continue
            own = None
            if self.steps:
                own = faithfulness(value, image, importance(maps)[0], steps=self.steps, at_once=self.settings.at_once)
            yield Explained(method, maps[0].cpu(), own, _likeness(maps, random.get(method.name)))

    def _score(self, method: Method, classifier: Classifier, target: Target, image: Tensor) -> Scores:
        """What ``method`` explains in ``image``."""
        measure = method.measure if self.measure is None or method.only else self.measure
        if self.measure is None and measure == "probability":
            return value_of(classifier, target, image).of  # of what has none, the share of its activation
        return Score(classifier, target, measure)

    def _random_maps(self, target: Target, image: Tensor, told: Callable[[str], None]) -> dict[str, list[list[Tensor]]]:
        """By method, the maps (h, w) of networks that have half, and all, of their layers with random weights.

        The target reacts to the picture in all of them. With other random weights it may not, behind a ReLU or a
        maximum, and all maps would be 0. Empty if the weights cannot be changed, or nothing comes of it.
        """
        found: dict[str, list[list[Tensor]]] = {method.name: [] for method in self.methods}
        places = itertools.count()
        total = sum(_NETWORKS.values()) * len(self.methods)
        for share, networks in _NETWORKS.items():
            for maps in found.values():
                maps.append([])
            drawn = 0
            for seed in range(_DRAWS):
                try:
                    network = randomized(self.classifier, share, below=target.layers, seed=seed)
                except (UserError, RuntimeError) as error:  # scripted, or frozen in a file
                    if out_of_memory(error):
                        raise
                    return {}
                if not _reacts(Score(network, target), image):
                    continue
                for method in self.methods:
                    told(f"random weights: {next(places)} of {total}")
                    with suppress(UserError):  # which it raises again below
                        made = method.attribute(self._score(method, network, target, image), image, self.settings)
                        found[method.name][-1].append(importance(made)[0])
                drawn += 1
                if drawn == networks:
                    break
            if not drawn:
                return {}
        return found


def _likeness(maps: Tensor, random: Sequence[Sequence[Tensor]] | None) -> Likeness | None:
    if not random or not all(random) or not bool(maps.any()):
        return None
    own = importance(maps)[0]
    return Likeness(*(statistics.median(likeness(own, other) for other in others) for others in random))


def _reacts(score: Score, image: Tensor) -> bool:
    """Whether the score of ``image`` (1, 3, h, w) depends on any of its pixels."""
    with torch.enable_grad():
        image = image.detach().requires_grad_()
        return bool(torch.autograd.grad(score(image).sum(), image)[0].any())


def value_of(classifier: Classifier, target: Target, image: Tensor) -> Value:
    """What is measured for ``target``: the probability of a class, or the share of its activation in ``image``."""
    if class_of(target) is not None:
        return Value("probability", Score(classifier, target, "probability"))
    score = Score(classifier, target)
    with torch.no_grad():
        whole = float(score(image)[0])
    return Value("share of the activation", lambda some: score(some) / whole if whole else score(some))


def map_layer(outline: Outline, target: Target | None, name: str | None = None) -> Layer | None:
    """The layer for Grad-CAM: the one of this ``name``, or the last before the target that has positions.

    Args:
        target: None: a class.
    """
    if name is not None:
        return find_filters(name, outline.layers)
    known = [layer.name for layer in outline.layers]
    first = min((known.index(layer) for layer in _asked(target) if layer in known), default=len(known))
    places = [layer for layer in outline.layers[:first] if has_places(layer)]
    if not places:  # as of a scripted network
        return None
    usual = usual_layer(outline)
    return usual if usual in places else places[-1]


def pooled_layer(outline: Outline, target: Target | None) -> Layer | None:
    """The last layer with positions that the target can be a linear function of, for CAM."""
    known = [layer.name for layer in outline.layers]
    last = max((known.index(layer) for layer in _asked(target) if layer in known), default=len(known))
    return next((layer for layer in reversed(outline.layers[: last + 1]) if has_places(layer)), None)


def _asked(target: Target | None) -> tuple[str, ...]:
    """The target's layers; for None, which is a class, its scores."""
    return (SCORES,) if target is None else target.layers
