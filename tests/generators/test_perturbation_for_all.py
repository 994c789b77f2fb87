import pytest
import torch

from genviz.errors import UserError
from genviz.generators.perturbation_for_all import PerturbationForAll, projected
from genviz.images.randomness import Streams


def test_it_begins_with_none_around_grey():
    made = PerturbationForAll(size=(4, 6), streams=Streams([1, 2]))
    assert made().images.shape == (2, 3, 4, 6)
    assert (made().images == 0.5).all()
    assert made.image_size == (4, 6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_constrain_is_the_projection_onto_the_ball(norm):
    torch.manual_seed(0)
    made = PerturbationForAll(size=(4, 4), xi=0.1, norm=norm, streams=Streams([1, 2]))
    far = torch.randn(2, 3, 4, 4)
    far[1] /= 1000  # inside
    made.values.data.copy_(far)
    made.constrain()
    own = made.values.detach()
    size = own.abs().amax((1, 2, 3)) if norm == "linf" else own.square().mean((1, 2, 3)).sqrt()
    assert size[0] == pytest.approx(0.1, rel=1e-6)
    torch.testing.assert_close(own[1], far[1])
    for _ in range(200):  # no point of the ball is nearer
        other = projected(0.3 * torch.randn(2, 3, 4, 4), 0.1, norm)
        assert (far[0] - own[0]).norm() <= (far[0] - other[0]).norm() + 1e-6


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"xi": 0}, "xi=0 must be a number above 0"), ({"xi": 2.0}, "xi=2.0"), ({"xi": "8/255"}, "xi=8/255"),
     ({"norm": "1"}, "norm=1 must be linf or l2"), ({"size": [4]}, r"size=\[4\] must be rows and columns"),
     ({"size": [0, 4]}, "size"), ({"size": 64}, "size=64 must be rows and columns"),
     ({"size": "ab"}, "rows and columns")],
)  # fmt: skip
def test_settings_that_cannot_work(settings, says):
    with pytest.raises(UserError, match=says):
        PerturbationForAll(**settings)
