import numpy as np
import pytest
import torch
from noisy_pictures import noise
from PIL import Image
from torch import nn

import genviz
from genviz.adversarial.examples.outcomes import Outcome

QUICK = {"steps": 3, "accelerator": "cpu"}
INPUT = {"input_size": 8, "mean": [0.5] * 3, "std": [0.5] * 3}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))


def test_pictures_are_perturbed_and_the_network_is_left_as_it_was(network, tmp_path):
    network.train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    pictures = torch.rand(3, 3, 8, 8)
    before = torch.get_rng_state()
    made = genviz.fool(network, pictures, **INPUT, at_once=2, **QUICK)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert (made.originals - pictures).abs().max() <= 0.5 / 255 + 1e-6
    away = (made.images - made.originals).abs().flatten(1).amax(1)
    assert (away > 0).all()
    assert (away <= 8 / 255 + 1e-6).all()
    assert all(isinstance(each, Outcome) for each in made.outcomes)
    assert repr(made) == f"Fooled({sum(each.success for each in made.outcomes)} of 3 pictures)"
    assert made._repr_html_().count("<img") == 9
    assert Image.open(made.save(tmp_path / "a.png")).height > 24


def test_numbers_may_be_numpys(network):
    numbers = {"epsilon": np.float32(0.03), "steps": np.int64(2), "at_once": np.int32(1), "seed": np.int64(3)}
    made = genviz.fool(network, torch.rand(1, 3, 8, 8), **INPUT, accelerator="cpu", **numbers)
    assert len(made.outcomes) == 1


def test_a_target_that_is_said_already_leaves_the_picture(network):
    picture = torch.rand(1, 3, 8, 8)
    said = genviz.fool(network, picture, **INPUT, **QUICK).outcomes[0].before[0].number
    made = genviz.fool(network, picture, f"class:{said}", **INPUT, **QUICK)
    assert made.outcomes == [f"the network says {said} already"]
    assert torch.equal(made.images, made.originals)
    with pytest.raises(genviz.UserError, match="no picture was attacked"):
        made.save("a.png")


def test_it_is_what_the_command_makes(called, tmp_path):
    from genviz.images.pictures import read_image

    noise((40, 30), 90).convert("RGB").save(tmp_path / "a.png")
    words = ["classifier=small", "trainer.accelerator=cpu", "logger=none", "steps=3", "image=a.png", "seed=4"]
    done = called("fool", *words)
    assert done.returncode == 0, done.stderr
    made = genviz.fool("small", tmp_path / "a.png", seed=4, **QUICK)
    (file,) = (tmp_path / "outputs").rglob("fooled.png")
    assert torch.equal(read_image(file), made.images)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"method": "pdg"}, "did you mean pgd"),
        ({"epsilon": 0}, "epsilon=0 must be"),
        ({"epsilon": "min"}, "give a number"),
        ({"epsilon": torch.tensor(0.1)}, r"epsilon=tensor\(0.1000\) must be a number above 0"),
        ({"method": 3}, "method=3 is none of fgsm"),
        ({"at_once": -1}, "at_once=-1 must be a whole number from 1 up, or None"),
        ({"at_once": 0}, "at_once=0 must be a whole number from 1 up, or None"),
        ({"steps": 0}, "steps=0 must be a whole number from 1 up, or None"),
        ({"steps": 1.5}, "steps=1.5 must be a whole number from 1 up, or None"),
        ({"restarts": 0}, "restarts=0 must be a whole number from 1"),
        ({"seed": -1}, "seed=-1 must be a whole number from 0"),
        ({"target": 3}, "target=3 must be one target, such as 'class:tabby', or None"),
        ({"norm": "l1"}, "norm=l1 must be linf or l2"),
        ({"target": "layer:relu1_1"}, "a layer can only be pushed away"),
        ({"target": "class:zebrra"}, "zebra"),
        ({"images": "nowhere.png"}, "no such file"),
        ({"images": torch.zeros(1, 1, 8, 8)}, "must be RGB"),
    ],
)
def test_bad_input_is_one_line(given, says):
    words = {"images": torch.rand(1, 3, 64, 64)} | given
    with pytest.raises(genviz.UserError, match=says) as error:
        genviz.fool("small", words.pop("images"), **{**QUICK, **words})
    assert "\n" not in str(error.value)
