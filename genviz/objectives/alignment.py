"""VITAL: matching the activation distributions of real pictures in several layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.images.folders import find_pictures
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.objectives.distributions import distance, distribution, last_of_blocks, layers_to_compare, look
from genviz.objectives.reference import Remembering
from genviz.targets.grammar import Target
from genviz.targets.units import Targets


class Alignment(Remembering):
    """-sum_l w_l mean_cp (sort_p X^l_cp - mean_r sort_p R^l_rcp)^2, sort matching (Görgün et al. 2025).

    In each channel c of layer l, the sorted activations X over positions p are matched to the mean sorted activations
    of real pictures r of the target. What is there counts, not where. Layers and weights follow the paper's code, and
    so do the settings of ``experiment=gorgun2025``. The paper picks a class's pictures by label; here they are those in
    a folder that the target responds to most, or all of them if there are no more than ``count``. The paper's relevance
    weighting, for filters within the network, is left out.

    Args:
        target: what the pictures show: classes, filters, neurons or layers; or several targets, one for each image.
        outline: the classifier's.
        pictures: a folder of real pictures, searched recursively.
        count: how many of them to use; 50 in the paper.
        layers: the layers l with their weights w_l, ``layer:conv1+layer1+layer4@10``; None for the last layer of each
            block, or of each map size if the blocks are unknown.
        weight: of the score in a sum of objectives.

    Raises:
        UserError: there are no pictures, or ``layers`` names something other than layers.
    """

    ranked = True
    takes_many = True

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline,
        *,
        pictures: str | None = None,
        count: int = 10,
        layers: str | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        if pictures is None:
            raise UserError("say where real pictures of the target are: pictures=FOLDER")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise UserError(f"objective.alignment.count={count} must be a whole number, 1 or more")
        self.pictures, self.paths = pictures, tuple(find_pictures(pictures, "pictures").pictures)
        self.targets, self.count, self.weight = Targets(target), count, float(weight)
        setting = "objective.alignment.layers"
        if layers is None:
            layers = "layer:" + "+".join(last_of_blocks(outline))
            if layers == "layer:":
                raise UserError(f"no layer of this classifier has positions; name the layers to match: {setting}=…")
        self.aligned = layers_to_compare(layers, outline, setting)

    @property
    def layers(self) -> tuple[str, ...]:
        return self.aligned.layers

    @torch.no_grad()
    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        size = classifier.outline.input_size if classifier.outline.resizes else size
        best: Iterable[Sequence[Path]] = [self.paths]
        if len(self.paths) > self.count:
            best = (_best(self.paths, classifier, target, self.count) for target in self.targets.each)
        real = [distribution(classifier, paths, self.layers, size) for paths in best]
        if not all(own[layer].pictures for own in real for layer in self.layers):
            raise UserError(f"pictures={self.pictures}: none of its {len(self.paths)} pictures can be decoded")
        self.wanted = {layer: torch.stack([own[layer].mean for own in real]) for layer in self.layers}

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return -self.aligned.total(lambda units: distance(seen[units.layer], self.wanted[units.layer])[:, None])

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"alignment loss": -self(seen)}


def _best(paths: tuple[Path, ...], classifier: Classifier, target: Target, count: int) -> list[Path]:
    """The ``count`` pictures that the ``target`` responds to most, strongest first."""
    seen: Iterable[tuple[Path, dict[str, Tensor]]]
    if target.layers == (SCORES,):
        seen = _scores(classifier, paths).items()
    else:
        seen = look(classifier, paths, target.layers, classifier.outline.input_size)
    units = Targets(target)
    responses = {path: units.activation(_on_cpu(found)).item() for path, found in seen}
    return sorted(responses, key=lambda path: responses[path], reverse=True)[:count]


@lru_cache(maxsize=1)
def _scores(classifier: Classifier, paths: tuple[Path, ...]) -> dict[Path, dict[str, Tensor]]:
    """The class scores of each picture; cached for all classes of a sweep."""
    return {path: _on_cpu(seen) for path, seen in look(classifier, paths, (SCORES,), classifier.outline.input_size)}


def _on_cpu(seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same on the CPU, as a classifier may be moved between two targets of a sweep."""
    return {layer: activation.cpu() for layer, activation in seen.items()}
