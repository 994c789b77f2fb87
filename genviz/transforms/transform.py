"""The base classes of transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier
from genviz.targets.layers import find_filters
from genviz.targets.selections import last_features


def is_pair(value: object) -> TypeGuard[tuple[Any, Any]]:
    """Whether it is a list or a tuple of two."""
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2


class Transform(nn.Module):
    """A random change to images, each drawn from its own stream."""

    streams: Streams = Streams()
    """One per image; set by `genviz.coupling.Coupling`."""

    update: int | Tensor = 0
    """Updates made so far; set during training."""

    def moved(
        self, images: Tensor, places: Sequence[Sequence[tuple[int, int]]], move: Callable[[Tensor, int, int], Tensor]
    ) -> Tensor:
        """Move each of ``images`` (n * views, 3, h, w) by its own numbers; those that move alike together.

        Args:
            places: rows and columns for each image and view.
            move: moves some images by the same number of rows and columns.
        """
        views = images.unflatten(0, (len(places), -1))
        if self.streams.alike:
            rows = [move(views[:, view], *place) for view, place in enumerate(places[0])]
            return torch.stack(rows, 1).flatten(0, 1)
        each = zip(views.flatten(0, 1), (place for own in places for place in own), strict=True)
        return torch.stack([move(view, *place) for view, place in each])


class FeatureTransform(Transform):
    """A random change to what a layer of the classifier has computed, while a picture is made.

    Only what comes after that layer is changed. Targets in the layer or before it are not affected, nor is anything
    where the classifier has no such layer, or no `genviz.interfaces.Classifier.seen_through`.
    """

    layer: str | None = None
    """Its name; None: that of `genviz.targets.selections.last_features`."""

    def drawn(self, *shape: int) -> Tensor:
        """Random numbers for a change, (n, *shape), from the ``streams``."""
        raise NotImplementedError

    def changed(self, features: Tensor, drawn: Tensor) -> Tensor:
        """The ``features`` (m, *shape) changed by what was ``drawn`` for them, (m, *shape)."""
        raise NotImplementedError

    def place(self, classifier: Classifier) -> str | None:
        """The name of the layer that is changed; None if there is none, or the classifier cannot be changed there.

        Raises:
            UserError: the classifier has no ``layer``.
        """
        outline = classifier.outline
        found = last_features(outline) if self.layer is None else find_filters(self.layer, outline.layers)
        can = type(classifier).seen_through is not Classifier.seen_through
        return found.name if can and found is not None else None

    def changes(self, classifier: Classifier, layers: Sequence[str]) -> bool:
        """Whether any of ``layers`` comes after the one that is changed."""
        place = self.place(classifier)
        if place is None:
            return False
        order = {layer.name: number for number, layer in enumerate(classifier.outline.layers)}
        return any(order.get(layer.removesuffix(".input"), len(order)) > order[place] for layer in layers)

    def look(self, classifier: Classifier, images: Tensor, layers: Sequence[str], at_once: int) -> dict[str, Tensor]:
        """The activations of ``layers``, as `genviz.interfaces.Classifier.in_turn`, with the change.

        Args:
            images: (n * views, 3, h, w).
        """
        place = self.place(classifier)
        if place is None or not self.changes(classifier, layers):
            return classifier.in_turn(images, layers, at_once)
        views, some = len(images) // len(self.streams), images.split(min(at_once, classifier.at_once or at_once))
        numbers: list[Tensor] = []

        def part(features: Tensor) -> Tensor:
            if not numbers:  # for all images at once, as a stream may be that of several
                drawn = self.drawn(views, *features.shape[1:]).flatten(0, 1)
                numbers.extend(drawn.split([len(own) for own in some]))
            return self.changed(features, numbers.pop(0))

        seen = [classifier.seen_through(own, layers, place, part) for own in some]
        return seen[0] if len(seen) == 1 else {layer: torch.cat([each[layer] for each in seen]) for layer in layers}


def apart(transforms: Sequence[nn.Module]) -> tuple[nn.Sequential, FeatureTransform | None]:
    """The transforms of images, one after the other, and the one of features, if there is one.

    Raises:
        UserError: there are several of features.
    """
    of_features = [part for part in transforms if isinstance(part, FeatureTransform)]
    if len(of_features) > 1:
        kinds = " and ".join(type(part).__name__ for part in of_features)
        raise UserError(f"transforms: {kinds}: only one of them can change the classifier's features")
    of_images = nn.Sequential(*(part for part in transforms if part not in of_features))
    return of_images, of_features[0] if of_features else None
