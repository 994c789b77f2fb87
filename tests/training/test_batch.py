"""Several images at once: each is the picture that it would have been by itself, with its seed."""

import pytest
import torch
from bare_trainer import fit

from genviz.coupling import Coupling
from genviz.generators.fourier import Fourier
from genviz.generators.octaves import Octaves
from genviz.generators.pixels import Pixels
from genviz.images.randomness import Streams
from genviz.objectives.activation import Activation
from genviz.objectives.inversion import Inversion
from genviz.objectives.sum import Sum
from genviz.optimizers.normalized_ascent import NormalizedAscent
from genviz.optimizers.pre_image import PreImage
from genviz.regularizers.blur import Blur
from genviz.regularizers.bounded_range import BoundedRange
from genviz.regularizers.image_norm import ImageNorm
from genviz.regularizers.parameter_norm import ParameterNorm
from genviz.regularizers.total_variation import TotalVariation
from genviz.regularizers.total_variation_beta import TotalVariationBeta
from genviz.targets.grammar import parse_target
from genviz.transforms.jitter import RandomCrop
from genviz.transforms.roll import RandomRoll
from genviz.transforms.views import RandomViews

SEEDS = range(3, 11)
UPDATES = 20
GENERATORS = {
    "grey": lambda **more: Pixels(size=(12, 14), noise=0.1, **more),
    "noise": lambda **more: Pixels(size=(12, 14), start="noise", range="open", margin=3, **more),
    "fourier": lambda **more: Fourier(size=(12, 14), deviation=0.5, **more),
    "octaves": lambda **more: Octaves(size=(48, 46), noise=9.0, octaves=2, steps=7, **more),
}
TRANSFORMS = {
    "jitter": lambda: RandomCrop(margin=3, until=15),
    "roll": lambda: RandomRoll(pixels=4),
    "views": lambda: RandomViews(views=2, rotate=10, scale=(0.8, 1.6), shift=0.15),
}
OPTIMIZERS = {
    "adam": lambda parameters, scale: torch.optim.Adam(parameters, lr=0.02 * scale),
    "pre_image": lambda parameters, scale: PreImage(parameters, lr=scale, until=15),
    "normalized_ascent": lambda parameters, scale: NormalizedAscent(parameters, lr=0.01 * scale),
}


def couple(classifier, generator, transform, optimizer, seeds):
    classifier.float()
    torch.manual_seed(seeds[0])
    streams = Streams(None if len(seeds) == 1 else seeds)
    target, layer = (
        parse_target(text, classifier.outline.labels, classifier.outline.layers)
        for text in ("filter:conv1:2", "layer:conv1")  # its ReLU is dead where an image is smooth
    )
    picture = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    objective = {
        "activation": Activation(target, classifier.outline, warm_up=5),
        "inversion": Inversion(layer, classifier.outline, image=picture, weight=3.0),
    }
    made = GENERATORS[generator](**({} if len(seeds) == 1 else {"streams": streams}))
    name = "coefficients" if generator == "fourier" else "pixels"
    regularizers = [TotalVariation(weight=0.01), TotalVariationBeta(weight=0.001), BoundedRange()]
    regularizers += [ImageNorm(weight=0.1, order=6), Blur(weight=2.0)]
    regularizers += [ParameterNorm(weight=1e-5, parameter=name, order=2)]
    scale = 1 if generator in ("grey", "fourier") else 255
    return Coupling(
        generator=made,
        classifier=classifier,
        objective=Sum(objective),
        target=target,
        optimizer=lambda parameters: OPTIMIZERS[optimizer](parameters, scale),
        regularizers={type(part).__name__: part for part in regularizers},
        transforms=[TRANSFORMS[transform]()],
        streams=streams,
    ).double()  # a kink, such as total variation's, makes more of the last bit than it is


def train(*words):
    """The settled pictures of these seeds, and how far each went."""
    coupling = couple(*words)
    before = coupling.settled()
    coupling.streams.skip()
    fit(coupling, UPDATES)
    return coupling.settled(), (coupling.settled() - before).abs().amax((1, 2, 3))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("generator", GENERATORS)
def test_an_image_of_eight_is_the_picture_that_it_is_alone(classifier, generator, transform, optimizer):
    together, moved = train(classifier, generator, transform, optimizer, SEEDS)
    assert moved.min() > 0.01
    alone, _ = train(classifier, generator, transform, optimizer, SEEDS[5:6])
    torch.testing.assert_close(together[5], alone[0], rtol=0, atol=1e-8)
    assert (together[0] - together[5]).abs().max() > 1e-3


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("generator", GENERATORS)
def test_what_is_drawn_for_an_image_matters_to_it(classifier, generator, transform):
    """Or the test above would show nothing."""
    coupling = couple(classifier, generator, transform, "adam", SEEDS).train()
    gradients = []
    for _ in range(2):
        coupling.zero_grad()
        coupling.training_step(None, 0)["loss"].backward()
        gradients.append(next(p.grad.clone() for p in coupling.generator.parameters() if p.grad is not None))
    sizes, changes = gradients[0].flatten(1).norm(dim=1), (gradients[0] - gradients[1]).flatten(1).norm(dim=1)
    assert (changes / sizes > 0.05).sum() >= 4  # one in sixteen crops is the same again
