import linear_network
import pytest
import torch

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
