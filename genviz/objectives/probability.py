"""The softmax probability of the target's classes, and its logarithm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import SCORES, Classifier, Objective, Outline
from genviz.targets.grammar import Target
from genviz.targets.probabilities import Ending, ending_of, log_probabilities, probabilities
from genviz.targets.units import Targets


class Probability(Objective):
    """sum_t w_t softmax(scores)_t (Gerretsen & Grinsztajn, section 2.2 and Figure 2).

    Included to show that it fails: the probability rises most easily by pushing the other classes down. Scores that are
    probabilities already are taken as they are.

    Raises:
        UserError: the target names something other than classes.
    """

    name = "probability"
    ranked = True
    takes_many = True

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline | None = None,  # noqa: ARG002
        *,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = float(weight)
        self.targets = Targets(target)
        for each in self.targets.each:
            if not each.is_of_classes:
                raise UserError(f"objective={self.name} takes classes, such as class:harmonica, not {each}")
        self.ending: Ending = ""

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:  # noqa: ARG002
        self.ending = ending_of(classifier)

    @property
    def layers(self) -> tuple[str, ...]:
        return (SCORES,)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return self.targets.activation({SCORES: probabilities(seen[SCORES], self.ending)})


class LogProbability(Probability):
    """sum_t w_t log softmax(scores)_t, the negative cross-entropy of the target's classes.

    The usual loss of attacks (Goodfellow et al. 2015): unlike the probability, it has a gradient however sure the
    network is.
    A negative weight pushes away from a class: ``class:harmonica@-1``.

    Raises:
        UserError: the target names something other than classes.
    """

    name = "log_probability"

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return self.targets.activation({SCORES: log_probabilities(seen[SCORES], self.ending)})
