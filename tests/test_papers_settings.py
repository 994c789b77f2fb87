"""The papers' settings are the papers'."""

import math

import pytest
import torch

from genviz.training import build
from genviz.training.settings import TrainSettings


def generator(config):
    return build.generator(config, build.streams(config))


def assert_eq_2_as_published(config):
    """lambda is 10 / 1000 from the first update on, and the rate stays."""
    activation = config.objective.activation
    assert (activation.lambda_others, activation.ramp, config.lr_end) == (None, 0, 1.0)


def test_the_papers_setting_is_the_papers(compose):
    """Despraz et al. 2017, Table 1, Eq. 3 and the published code."""
    config = compose("target=class:harmonica", "experiment=despraz2017")
    assert config.updates == 10 * 50
    assert_eq_2_as_published(config)
    assert (config.optimizer._target_, config.optimizer.lr) == ("torch.optim.Adamax", 0.002)
    assert (list(config.optimizer.betas), config.optimizer.eps) == ([0.9, 0.999], 1e-8)
    made = generator(config)
    assert (made.sigma, made.output) == (2.0, "standardized")
    regularizer = build.regularizers(config)["gamma_l1"]
    assert (regularizer.weight, regularizer.parameter, regularizer.order) == (0.01, "gamma", 1)
    assert build.transforms(config) == []


def test_the_papers_pretrained_setting_is_the_papers(compose):
    """Despraz et al. 2017, Table 1, Eq. 4 and the published code."""
    config = compose("target=class:harmonica", "generator=pretrained", "generator.weights=random")
    assert_eq_2_as_published(config)
    assert (config.updates, config.snapshot_every, config.median) == (30 * 40, 40, 10)
    optimizer = build.optimizer(config)([torch.nn.Parameter(torch.ones(1))])
    assert isinstance(optimizer, torch.optim.SGD)
    settings = optimizer.param_groups[0]
    assert (settings["lr"], settings["momentum"], settings["nesterov"]) == (0.01, 0.1, True)
    made = generator(config)
    assert (made.code, made.sigma) == ("gains", 0.05)
    regularizer = build.regularizers(config)["gains_l2"]
    assert (regularizer.weight, regularizer.parameter, regularizer.order) == (0.1, "gains", 2)
    assert build.transforms(config) == []


def test_macos_setting_is_its_codes(compose, classifier):
    """Fel et al. 2023; xplique's maco: 256 steps of Nadam 1.0, 32 crops of 50 % to 5 %, 0.08 in values from -1 to 1."""
    config = compose("target=class:harmonica", "experiment=fel2023")
    build.settle(config, build.target(config, classifier.outline), classifier)
    assert (config.updates, config.lr_end) == (256, 1)
    optimizer = build.optimizer(config)([torch.nn.Parameter(torch.ones(1))])
    assert isinstance(optimizer, torch.optim.NAdam)
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]) == (1.0, (0.9, 0.999))
    boxes, noise = build.transforms(config)
    assert (boxes.boxes, boxes.shares, boxes.size, boxes.updates) == (32, (0.5, 0.05), (12, 12), 256)
    assert noise.deviation == 0.08 / 2
    assert generator(config).image_size == (512, 512)
    assert build.regularizers(config) == {}
    objective = build.objective(config, build.target(config, classifier.outline), classifier.outline)
    seen = classifier(torch.rand(2, 3, 12, 12), objective.layers)
    objective.update = 200
    assert torch.equal(objective(seen), seen["scores"][:, 1])  # the score and nothing else, below 0, too


def test_vitals_setting_is_its_codes(compose, classifier, pictures):
    """Görgün et al. 2025; class_neurons_fvis.py for ResNet-50, in numbers of ImageNet's deviations, here of 255."""
    config = compose("target=class:harmonica", "experiment=gorgun2025", *pictures)
    TrainSettings.check(config)
    build.settle(config, build.target(config, classifier.outline), classifier)
    assert (config.updates, config.lr_rise, config.lr_end) == (2000, 100, 0)
    optimizer = build.optimizer(config)([torch.nn.Parameter(torch.ones(1))])
    assert isinstance(optimizer, torch.optim.Adam)
    deviation = 255 * sum((0.229, 0.224, 0.225)) / 3
    settings = optimizer.param_groups[0]
    assert settings["lr"] == pytest.approx(deviation, rel=0.01)
    assert list(settings["betas"]) == [0.5, 0.9]
    made = generator(config)
    assert (made.range, made.image_size) == ("clipped", (12, 12))
    assert made.values.std().item() == pytest.approx(deviation, rel=0.2)
    (roll,) = build.transforms(config)
    assert roll.pixels == 30
    assert build.regularizers(config) == {}
    objective = build.objective(config, build.target(config, classifier.outline), classifier.outline)
    assert (objective.parts["alignment"].count, objective.parts["alignment"].weight) == (50, 1)


def test_the_stickers_setting_is_its_codes_where_it_says_so(compose, pictures):
    """Brown et al. 2017: the expected log probability, over places, sizes and angles of up to 22.5 degrees."""
    config = compose("target=class:harmonica", "experiment=brown2017", *pictures, "transform.placed.size=[32,32]")
    assert list(config.objective) == ["log_probability"]
    assert (generator(config).image_size, config.generator.shape) == ((96, 96), "circle")
    (placed,) = build.transforms(config)
    assert (placed.rotate, placed.area, placed.place) == (pytest.approx(math.pi / 8), 0.1, "random")


def test_the_detectors_patch_is_upright_in_the_corner(compose, pictures):
    """Lee & Kolter 2019: beside the objects, not over them."""
    config = compose("target=class:harmonica@-1", "experiment=lee2019", *pictures, "transform.placed.size=[32,32]")
    assert config.generator.shape == "square"
    (placed,) = build.transforms(config)
    assert (placed.place, placed.rotate, placed.light, placed.log_sizes) == ("corner", 0, 0, (0, 0))
    assert build.regularizers(config) == {}
