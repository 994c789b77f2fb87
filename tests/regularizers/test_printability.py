import pytest
import torch

from genviz.errors import UserError
from genviz.interfaces import Sample
from genviz.regularizers.printability import Printability, offset


def score(images, **settings):
    return Printability(weight=1.0, **settings)(Sample(images, {}))


def test_a_printable_colour_costs_nothing():
    for form in ("nearest", "product"):
        for colour in offset():
            image = colour.view(1, 3, 1, 1).expand(2, 3, 4, 5)
            torch.testing.assert_close(score(image, form=form), torch.zeros(2))


def test_the_press_has_its_solids_and_not_what_only_a_screen_has():
    colours = {tuple(round(255 * float(value)) for value in colour) for colour in offset()}
    assert len(colours) == 27
    assert {(255, 255, 255), (0, 159, 227), (230, 0, 126), (255, 237, 0), (29, 29, 27)} <= colours
    green, grey = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.5, 0.5, 0.5])
    assert score(green.view(1, 3, 1, 1)) > 0.4
    assert score(grey.view(1, 3, 1, 1)) < 0.25


@pytest.mark.parametrize("form", ["nearest", "product"])
def test_it_is_the_slow_sum(form):
    torch.manual_seed(0)
    colours = [[0, 0, 0], [255, 128, 0], [30, 60, 90]]
    images = torch.rand(2, 3, 3, 4, dtype=torch.float64)
    for image, got in zip(images, score(images, form=form, colours=colours), strict=True):
        total = 0.0
        for i in range(3):
            for j in range(4):
                far = [sum((float(image[c, i, j]) - rgb[c] / 255) ** 2 for c in range(3)) ** 0.5 for rgb in colours]
                total += min(far) if form == "nearest" else far[0] * far[1] * far[2]
        assert float(got) == pytest.approx(total / 12, rel=1e-6)


@pytest.mark.parametrize("form", ["nearest", "product"])
def test_the_gradient_is_right(form):
    images = torch.rand(1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: score(x, form=form), images)


def test_the_gradient_at_a_printable_colour_is_finite():
    images = torch.ones(1, 3, 2, 2, requires_grad=True)
    score(images).sum().backward()
    assert images.grad.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"form": "sum"}, "form=sum is unknown"), ({"colours": []}, "colours must be a list of red, green and blue"),
     ({"colours": [[0, 0]]}, "colours must be"), ({"colours": [[0, 0, 300]]}, "colours must be"),
     ({"colours": ["red"]}, "colours must be"), ({"colours": [["a", "b", "c"]]}, "colours must be"),
     ({"colours": 3}, "colours must be")],
)  # fmt: skip
def test_what_cannot_work_is_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        Printability(weight=1.0, **settings)
