import linear_network
import pytest
import torch
from torch import nn

from genviz.adversarial.deepfool import deepfool
from genviz.errors import UserError


@pytest.fixture
def curved():
    """A network of 14 classes that is not linear, on 16 x 16 pixels."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.Softplus(), nn.Conv2d(8, 12, 3, stride=2), nn.Tanh(), nn.Flatten()
    network = nn.Sequential(*layers, nn.Linear(12 * 36, 14)).double()
    for part in network:
        if hasattr(part, "weight"):
            nn.init.normal_(part.weight, std=0.25)
    return network.requires_grad_(False)


def images(count, side, seed=0, contrast=0.6):
    """Noise around grey; where clipping takes back no part of a step, no class hangs on the last digit."""
    drawn = torch.rand(count, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return 0.5 + contrast * (drawn - 0.5)


def distances(network, pictures, order):
    """From each picture to the nearest boundary of a linear network, in the norm dual to that of ``order``."""
    found = []
    weight = network[1].weight
    for scores in network(pictures):
        own = int(scores.argmax())
        others = [k for k in range(len(scores)) if k != own]
        found.append(min(float((scores[own] - scores[k]) / (weight[own] - weight[k]).norm(order)) for k in others))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_to_planes_it_is_the_exact_distance(norm, dual):
    network = linear_network.network(classes=7).double()
    pictures, order = images(20, 8), {"l2": 2, "linf": torch.inf}[norm]
    exact = distances(network, pictures, dual)
    found = deepfool(network, pictures, overshoot=0.0, steps=1, norm=norm, bounds=None)
    way = (found.images - pictures).flatten(1).norm(p=order, dim=1)
    torch.testing.assert_close(way, exact)
    two = network(found.images).topk(2).values
    torch.testing.assert_close(two[:, 0], two[:, 1])  # they lie on the boundary
    past = deepfool(network, pictures, overshoot=0.02, norm=norm, bounds=None)
    torch.testing.assert_close((past.images - pictures).flatten(1).norm(p=order, dim=1), 1.02 * exact)
    assert past.changed.all()
    assert (past.steps == 1).all()


def slowly(network, image, label, steps, overshoot):
    """Moosavi-Dezfooli et al. 2015, algorithm 2, as torchattacks 3.5.1 has it: one picture, all classes, clipped."""
    for _ in range(steps):
        image = image.detach().requires_grad_()
        scores = network(image)[0]
        if int(scores.argmax()) != label:
            break
        best = None
        slopes = [torch.autograd.grad(score, image, retain_graph=True)[0] for score in scores]
        for k, score in enumerate(scores):
            if k != label:
                w = slopes[k] - slopes[label]
                gap = (score - scores[label]).abs().detach()
                if best is None or gap / w.norm() < best[0]:
                    best = gap / w.norm(), gap * w / w.norm() ** 2
        image = (image + (1 + overshoot) * best[1]).clamp(0, 1)
    return image.detach()


@pytest.mark.parametrize("contrast", [0.6, 1.0])
def test_it_is_the_algorithm(curved, contrast):
    pictures = images(12, 16, contrast=contrast)
    found = deepfool(curved, pictures, classes=14, steps=20)
    for picture, made in zip(pictures.split(1), found.images.split(1), strict=True):
        label = int(curved(picture).argmax())
        slow = slowly(curved, picture, label, 20, 0.02)
        two, further = curved(slow)[0].topk(2).values, (picture + 1.02 * (slow - picture)).clamp(0, 1)
        if two[0] - two[1] < 1e-9 and (made - slow).abs().max() > 1e-12:  # clipping has taken back the overshoots
            slow = further  # unless the last digit has made it another class
        torch.testing.assert_close(made, slow, rtol=0, atol=1e-12)
    assert found.changed.tolist() == (curved(found.images).argmax(1) != curved(pictures).argmax(1)).tolist()
    assert found.images.min() >= 0
    assert found.images.max() <= 1


def test_it_is_torchattacks(curved):
    torchattacks = pytest.importorskip("torchattacks")
    pictures = images(12, 16, seed=1, contrast=1.0)
    labels = curved(pictures).argmax(1)
    theirs = torchattacks.DeepFool(curved, steps=30)(pictures, labels)
    ours = deepfool(curved, pictures, classes=14, steps=30)
    two = curved(theirs).topk(2).values
    reached = two[:, 0] - two[:, 1] > 1e-9
    assert reached.sum() >= 6
    torch.testing.assert_close(ours.images[reached], theirs[reached], rtol=0, atol=1e-12)
    near = (ours.images - theirs).flatten(1).norm(dim=1) <= 0.021 * (theirs - pictures).flatten(1).norm(dim=1)
    assert near.all()  # what theirs leaves on the boundary is moved on
    assert ours.changed.all()


def test_a_batch_is_what_each_picture_is_alone(curved):
    pictures = images(6, 16)
    together = deepfool(curved, pictures)
    alone = [deepfool(curved, picture) for picture in pictures.split(1)]
    torch.testing.assert_close(together.images, torch.cat([one.images for one in alone]))
    assert together.steps.tolist() == [int(one.steps) for one in alone]


def test_what_has_another_class_already_is_left_alone(curved):
    pictures = images(4, 16)
    labels = curved(pictures).argmax(1)
    labels[1] = (labels[1] + 1) % 14
    found = deepfool(curved, pictures, labels=labels)
    assert torch.equal(found.images[1], pictures[1])
    assert found.steps[1] == 0
    assert found.changed[1]
    assert (found.steps[[0, 2, 3]] > 0).all()


def test_only_pictures_that_have_not_changed_are_looked_at_again(curved):
    pictures, seen = images(12, 16), []
    found = deepfool(lambda some: seen.append(len(some)) or curved(some), pictures, steps=50)
    assert seen[0] == 12
    assert seen == sorted(seen, reverse=True)
    assert sum(seen) <= 2 * int((found.steps + 1).sum())


def test_it_stops_after_so_many_steps(curved):
    found = deepfool(curved, images(12, 16, contrast=1.0), steps=2, overshoot=0.0)
    assert found.steps.max() == 2
    assert not found.changed.all()


def test_what_ends_on_the_boundary_is_moved_on_by_the_overshoot():
    """Single precision loses the last steps: two scores are the same, and the first of them is the old class."""
    pictures = torch.full((1, 3, 4, 4), 0.5)
    weight = torch.zeros(48)
    weight[0] = 1.0

    def scores(some):
        gap = (some.flatten(1) @ weight - 0.7).clamp(max=0)  # never beyond the other, in the range of the steps
        beyond = (some.flatten(1) @ weight - 0.7003).clamp(min=0)
        return torch.stack([torch.zeros_like(gap), gap + 10 * beyond], 1)

    stays = deepfool(scores, pictures, overshoot=0.0)
    assert not stays.changed.any()
    assert stays.steps[0] < 50
    found = deepfool(scores, pictures, overshoot=0.02)
    assert found.changed.all()
    assert found.images[0, 0, 0, 0] == pytest.approx(0.704, abs=1e-3)


def test_without_a_gradient_it_stays():
    pictures = images(3, 4)
    found = deepfool(lambda some: 0 * some.sum((1, 2, 3))[:, None] + torch.arange(3.0), pictures)
    assert torch.equal(found.images, pictures)
    assert not found.changed.any()


def test_nothing_is_changed_of_what_was_given(curved):
    pictures = images(2, 16)
    before = pictures.clone()
    with torch.no_grad():
        deepfool(curved, pictures)
    assert torch.equal(pictures, before)
    assert not pictures.requires_grad
    assert deepfool(curved, pictures[:0]).images.shape == (0, 3, 16, 16)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"classes": 1}, "classes=1"), ({"steps": 0}, "steps=0"), ({"overshoot": -1}, "overshoot=-1"),
     ({"norm": "1"}, "norm=1 must be l2 or linf")],
)  # fmt: skip
def test_settings_that_cannot_work(curved, settings, says):
    with pytest.raises(UserError, match=says):
        deepfool(curved, images(1, 16), **settings)


def test_a_single_class():
    with pytest.raises(UserError, match="a single class"):
        deepfool(lambda some: some.sum((1, 2, 3))[:, None], images(1, 4))
