import captum.attr
import torch
from torch import nn

from genviz.attribution.gradients import integrated_gradients, saliency, smoothgrad


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Softplus(), nn.Flatten())
    return nn.Sequential(layers, nn.Linear(4 * 36, 3)).double().requires_grad_(False)


def test_saliency_is_the_largest_derivative_over_the_colours():
    model, images = network(), torch.rand(3, 3, 10, 10, dtype=torch.double)
    leaf = images.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    assert torch.equal(saliency(lambda some: model(some)[:, 1], images), slopes.abs().amax(1))


def test_integrated_gradients_sum_to_what_the_score_gains():
    model, images = network(), torch.rand(2, 3, 10, 10, dtype=torch.double)

    def score(some):
        return model(some)[:, 2]

    maps = integrated_gradients(score, images, points=300, baseline=0.5)
    gained = score(images) - score(torch.full_like(images, 0.5))
    torch.testing.assert_close(maps.sum((1, 2)), gained, rtol=1e-2, atol=1e-4)
    theirs = captum.attr.IntegratedGradients(model).attribute(images, torch.full_like(images, 0.5), 2, n_steps=300)
    torch.testing.assert_close(maps, theirs.sum(1), rtol=0, atol=1e-9)


def test_smoothgrad_is_seeded_and_leaves_the_random_state():
    model, images = network(), torch.rand(2, 3, 10, 10, dtype=torch.double)

    def score(some):
        return model(some)[:, 0]

    before = torch.get_rng_state()
    first, again = (smoothgrad(score, images, samples=6, seed=3, at_once=4) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    alone = smoothgrad(score, images[1:], samples=6, seed=3, at_once=4)
    torch.testing.assert_close(first[1:], alone)
    assert not torch.allclose(first, smoothgrad(score, images, samples=6, seed=4, at_once=4))
    quiet = smoothgrad(score, images, samples=2, sigma=1e-9)
    torch.testing.assert_close(quiet, saliency(score, images), rtol=1e-5, atol=1e-9)
