"""Natural: a picture held as near to photographs as they are to each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.files import PHOTOGRAPHS, intact
from genviz.images.folders import evenly, find_pictures
from genviz.interfaces import Classifier, Outline
from genviz.objectives.distributions import distance, distribution, last_of_blocks, layers_to_compare, thinned
from genviz.objectives.kept import Kept
from genviz.objectives.reference import Remembering
from genviz.targets.grammar import Target
from genviz.targets.units import Targets

_DEFAULT = "default"
_MOST = 100  # photographs; a few dozen are enough


class Natural(Remembering):
    """-a(X) sum_l w_l max(0, d_l(X) / mean_r d_l(R_r) - within), beside an objective that makes the target fire.

    What a network responds to most is far from any photograph. This penalizes it, as DeepInversion does (Yin et al.
    2020), by VITAL's distance (Görgün et al. 2025): d_l(X) = mean_cp (sort_p X_cp - mean_r sort_p R_rcp)^2, where X and
    R_r are the activations of layer l, in channels c at positions p, for the picture and for photographs r of anything.
    Here it is a bound: at ``within`` 1, a picture may be as far from the photographs' mean as those are on average.
    What exceeds it is weighed by the target's own activation a(X), a constant to the gradient, so that one weight suits
    networks of any scale; nothing is penalized while a(X) is negative, or positive where the target shall not fire.

    Args:
        target: one, or several, one for each image.
        outline: the classifier's.
        pictures: a folder of photographs, searched recursively; if there are more than 100, 100 of them, evenly spaced
            by name. ``default`` for those that ship with genviz, of 201 to 256 pixels, enlarged for larger inputs.
        layers: the layers l with their weights w_l, ``layer:conv1+layer1+layer4@10``; None for the last layer of each
            block but the first, or of each map size if the blocks are unknown; for a filter, its own layer and those
            after it count, too, unless others are named. Where photographs do not differ at all,
            or no layer has positions, nothing is penalized.
        within: 0 or more.
        positions: at most so many of a layer's positions are sorted, those of a regular grid; None for all.
        weight: of the score in a sum of objectives.

    Raises:
        UserError: there are no pictures, or ``layers`` names something other than layers.
    """

    takes_many = True

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline,
        *,
        pictures: str = _DEFAULT,
        layers: str | None = None,
        within: float = 1.0,
        positions: int | None = 200,
        weight: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= within < math.inf:
            raise UserError(f"objective.natural.within={within} must be 0 or more")
        if positions is not None and (isinstance(positions, bool) or not isinstance(positions, int) or positions < 1):
            raise UserError(f"objective.natural.positions={positions} must be a whole number, 1 or more, or null")
        self.pictures = pictures
        folder = intact(PHOTOGRAPHS) if pictures == _DEFAULT else pictures
        self.paths = evenly(find_pictures(folder, "objective.natural.pictures").pictures, _MOST)
        self.targets, self.within, self.positions = Targets(target), float(within), positions
        self.weight, self.apart = float(weight), Kept[str]({})
        if layers is None:
            blocks = [layer.partition("@")[0] for layer in last_of_blocks(outline)]
            layers = "layer:" + "+".join(blocks[1:] or blocks)
        self.compared = None if layers == "layer:" else layers_to_compare(layers, outline, "objective.natural.layers")

    @property
    def layers(self) -> tuple[str, ...]:
        return (*(self.compared.layers if self.compared else ()), *self.targets.layers)

    @property
    def sought(self) -> tuple[str, ...]:
        return ()

    @torch.no_grad()
    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        if self.compared is None:
            return
        size = classifier.outline.input_size if classifier.outline.resizes else size
        real = distribution(classifier, self.paths, self.compared.layers, size, self.positions)
        differ = {layer: own for layer, own in real.items() if own.pictures > 1 and own.apart > 0}
        if not differ and self.pictures != _DEFAULT:
            raise UserError(
                f"objective.natural.pictures={self.pictures}: give two or more that can be decoded and are not the "
                "same; a picture is compared with how far they are from each other"
            )
        self.wanted = {layer: own.mean[None] for layer, own in differ.items()}
        self.apart = Kept({layer: own.apart for layer, own in differ.items()})

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        activation = self.targets.activation(seen).detach()
        silenced = self.targets.silences.repeat_interleave(len(activation) // len(self.targets.each), 0)[:, 0]
        return -self._excess(seen) * torch.where(silenced, -activation, activation).relu()

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"beyond photographs": self._excess(seen)}

    def _excess(self, seen: Mapping[str, Tensor]) -> Tensor:
        if self.compared is None:
            return torch.zeros_like(self.targets.activation(seen))
        return self.compared.total(lambda units: self._excess_in(units.layer, seen[units.layer])[:, None])

    def _excess_in(self, layer: str, activation: Tensor) -> Tensor:
        """By how much of the photographs' own distance a layer exceeds the bound, (n,)."""
        if layer not in self.apart:
            return activation.new_zeros(len(activation))
        far = distance(thinned(activation, self.positions), self.wanted[layer])
        return (far / self.apart[layer] - self.within).relu()
