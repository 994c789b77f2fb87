import math

import pytest

from genviz.errors import UserError
from genviz.objectives.activation import Activation
from genviz.regularizers.blur import Blur
from genviz.targets.grammar import parse_target
from genviz.training.parts import Parts


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf])
def test_a_part_whose_weight_is_not_finite_is_one_line(compose, classifier, weight):
    config = compose("target=class:harmonica")
    target = parse_target("class:harmonica", classifier.outline.labels, classifier.outline.layers)
    with pytest.raises(UserError, match=r"regularizers: soft.weight=.* must be a finite number"):
        Parts(config, given_regularizers={"soft": Blur(weight=weight)}).regularizers()
    with pytest.raises(UserError, match=r"objective: objective.weight=.* must be a finite number"):
        Parts(config, given_objective=Activation(target, weight=weight)).objective([target], classifier.outline)
