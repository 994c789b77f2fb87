import linear_network
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genviz.adversarial.deepfool import deepfool
from genviz.adversarial.universal import by_deepfool as module
from genviz.adversarial.universal.by_deepfool import Way, by_deepfool
from genviz.errors import UserError
from genviz.generators.perturbation_for_all import projected

WAY = Way(6 / 255, "linf", 0.9, 3, 0, {"classes": 3, "steps": 10, "overshoot": 0.02, "norm": "l2"})


@pytest.fixture
def network():
    return linear_network.network()


def images(count=8):
    drawn = torch.randint(108, 148, (count, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    return drawn.to(torch.uint8)


@pytest.fixture
def make(network, tmp_path):
    labels = network(images().float() / 255).argmax(1)

    def made(way=WAY, identity=None, rates=None):
        def rate(values):
            return float((network(images().float() / 255 + values).argmax(1) != labels).float().mean())

        return by_deepfool(
            network, images(), labels, way, checkpoint=tmp_path / "last.ckpt", identity=identity or {"seed": "0"},
            every=3, rate=rate if rates is None else lambda _: rates.pop(0),
        )  # fmt: skip

    return made


def test_it_is_the_algorithm(make, network):
    """Moosavi-Dezfooli et al. 2017, algorithm 1, once more, in one pass."""
    made = make(WAY._replace(passes=1))
    values = torch.zeros(1, 3, 8, 8)
    for row in torch.randperm(8, generator=torch.Generator().manual_seed(0)):
        picture = images()[row : row + 1].float() / 255
        if network(picture + values).argmax() == network(picture).argmax():
            found = deepfool(network, picture + values, classes=3, bounds=None)
            values = projected(found.images - picture, 6 / 255, "linf")
    torch.testing.assert_close(made, values[0], rtol=0, atol=1e-6)
    assert made.abs().max() <= 6 / 255 + 1e-7


def test_it_ends_when_enough_are_fooled(make, capsys):
    rates = [0.5, 0.9, 1.0]
    make(rates=rates)
    assert rates == [1.0]
    assert capsys.readouterr().out.count("of the used pictures are fooled") == 2


def test_or_after_so_many_passes(make):
    rates = [0.1] * 5
    make(rates=rates)
    assert len(rates) == 2


def test_killed_it_goes_on_from_the_last_checkpoint(make, tmp_path, monkeypatch):
    own, left = module._step, [13]  # in the second pass, two pictures after a checkpoint

    def killed(*given):
        left[0] -= 1
        if left[0] < 0:
            raise SystemExit
        return own(*given)

    monkeypatch.setattr(module, "_step", killed)
    with pytest.raises(SystemExit):
        make(rates=[0.1, 0.1, 1.0])
    left[0] = 100
    assert torch.equal(make(rates=[0.1, 1.0]), whole_of(make, tmp_path))


def whole_of(make, tmp_path):
    (tmp_path / "last.ckpt").unlink()
    return make(rates=[0.1, 0.1, 1.0])


def test_a_finished_one_is_not_gone_on_with(make):
    made = make()
    assert torch.equal(make(rates=[]), made)


def test_a_checkpoint_of_other_settings(make):
    make()
    with pytest.raises(UserError, match=r"seed was 0 and is 1.*tag=NAME"):
        make(identity={"seed": "1"})


def test_a_checkpoint_of_something_else(make, tmp_path):
    torch.save({"a": 1}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="is not a perturbation's checkpoint"):
        make()


@pytest.mark.slow
def test_its_rate_is_that_of_the_adversarial_robustness_toolbox(tmp_path):
    """On pictures that neither was made of."""
    evasion, estimators = (
        pytest.importorskip(f"art.{name}") for name in ("attacks.evasion", "estimators.classification")
    )
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 16, 3, 2, 1), nn.Tanh(), nn.Conv2d(16, 16, 3, 2, 1), nn.Tanh(), nn.Flatten()
    curved = nn.Sequential(*layers, nn.Linear(256, 6)).eval().requires_grad_(False)
    for parameter in curved.parameters():
        parameter.mul_(3)
    drawn = torch.rand(200, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    pictures = (255 * F.interpolate(drawn, (16, 16), mode="bicubic").clamp(0, 1)).round().to(torch.uint8)
    used, held_out = pictures[::2], pictures[1::2]
    labels = curved(used / 255).argmax(1)

    def rate(perturbation, images):
        after = curved((images / 255 + perturbation).clamp(0, 1)).argmax(1)
        return float((after != curved(images / 255).argmax(1)).float().mean())

    wrapped = estimators.PyTorchClassifier(curved, nn.CrossEntropyLoss(), (3, 16, 16), 6, clip_values=(0, 1))
    settings = {"max_iter": 10, "nb_grads": 6, "epsilon": 0.02, "verbose": False}
    ours, theirs = [], []
    for seed in range(5):  # by the order of the pictures, the rate is anything from 0.35 to 0.77
        way = WAY._replace(xi=10 / 255, fooled=0.8, passes=5, seed=seed, deepfool={**WAY.deepfool, "classes": 6})
        place = tmp_path / f"{seed}.ckpt"
        made = by_deepfool(
            curved, used, labels, way, checkpoint=place, identity={"seed": "0"}, every=1000,
            rate=lambda values: rate(values, used),
        )  # fmt: skip
        ours.append(rate(made, held_out))
        attack = evasion.UniversalPerturbation(
            wrapped, "deepfool", settings, delta=0.2, max_iter=5, eps=10 / 255, norm=np.inf, verbose=False
        )
        np.random.seed(seed)
        attack.generate((used / 255).numpy())
        noise = torch.from_numpy(attack.noise).float()[0]
        assert noise.abs().max() <= 10 / 255 + 1e-6
        theirs.append(rate(noise, held_out))
    assert np.mean(theirs) > 0.5
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.1)
