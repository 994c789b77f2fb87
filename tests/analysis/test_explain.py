import numpy as np
import pytest
import torch
from PIL import Image

import genviz

QUICK = {"steps": 0, "samples": 2, "size": 32, "stride": 32}


def files(folder, *names):
    made = []
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 255, (70, 90 + number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
        made.append(folder / name)
    return made


def test_files_and_tensors(tmp_path):
    paths = files(tmp_path, "a.png", "b.png")
    both = genviz.explain("small", paths, "class:zebra", method="saliency,guided_backpropagation", **QUICK)
    assert {name: maps.shape for name, maps in both.maps.items()} == {
        "saliency": (2, 128, 128),
        "guided_backpropagation": (2, 3, 128, 128),
    }
    assert both.targets == ["class:zebra"] * 2
    again = genviz.explain("small", both.images, "class:zebra", method=["saliency"], **QUICK)
    torch.testing.assert_close(again.maps["saliency"], both.maps["saliency"])
    assert "<img" in both._repr_html_()
    with Image.open(both.save(tmp_path / "sheet.png")) as sheet:
        assert sheet.width > 3 * 128


def test_the_process_and_the_network_are_left_as_they_were():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    network.append(torch.nn.Linear(4, 3)).train()
    given = {"input_size": 16, "mean": (0, 0, 0), "std": (1, 1, 1), "labels": ["a", "b", "c"]}
    images = torch.rand(2, 3, 16, 16)
    before, state = torch.get_rng_state(), {k: v.clone() for k, v in network.state_dict().items()}
    with torch.no_grad():
        made = genviz.explain(network, images, method="all", checked=1, **QUICK, **given)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert all(torch.equal(v, state[k]) for k, v in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert len(made.maps) == 9
    assert made.left_out == {}
    assert made.explained[0][0].likeness is not None
    assert made.explained[1][0].likeness is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"images": "nowhere.png"}, "no such file"),
        ({"images": torch.zeros(2, 1, 8, 8)}, "must be RGB"),
        ({"images": []}, "a list of files"),
        ({"method": "gradcan"}, "did you mean gradcam"),
        ({"method": "gradcam", "target": "filter:conv1_1:0"}, "no layer before filter:conv1_1:0 has positions"),
        ({"method": "deconvnet", "target": "filter:conv1_1:0"}, "no ReLU on the way"),
        ({"layer": "relu99"}, "relu99"),
        ({"target": "class:zebrra"}, "zebra"),
        ({"strides": 3}, "no setting of a method"),
        ({"images": 3}, "a list of files"),
        ({"images": torch.rand(1, 3, 8, 8) * 255}, r"must be RGB in \[0, 1\]"),
        ({"images": torch.full((1, 3, 8, 8), torch.nan)}, r"must be RGB in \[0, 1\]"),
        ({"images": torch.zeros(1, 3, 8, 8, dtype=torch.uint8)}, r"images of type uint8 must be floats in \[0, 1\]"),
        ({"method": []}, "must be a method"),
        ({"method": 3}, "must be a method"),
        ({"target": 5}, "must be one target"),
        ({"layer": 5}, "must be a layer's name"),
        ({"steps": -1}, "steps=-1 must be a whole number from 0"),
        ({"checked": "x"}, "checked=x must be a whole number"),
        ({"at_once": 0}, "at_once=0 must be a whole number from 1"),
        ({"size": object()}, "must be a whole number"),
        ({"size": 8}, "stride=32 must be at most size=8"),
        ({"sigma": -1.0}, "sigma=-1.0 must be a number from 0 up"),
    ],
    ids=lambda given: given if isinstance(given, str) else next(iter(given)),
)
def test_bad_input_is_one_line(given, says):
    words = {"images": torch.rand(1, 3, 64, 64), "target": "class:zebra"} | given
    with pytest.raises(genviz.UserError, match=says) as error:
        genviz.explain("small", words.pop("images"), words.pop("target"), **{**QUICK, **words})
    assert "\n" not in str(error.value)


class Closed(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images)


@pytest.mark.parametrize("closed", [False, True])
def test_a_scripted_network_is_explained_like_the_module_it_was(closed):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1))
    network += torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    given = {"input_size": 16, "mean": (0, 0, 0), "std": (1, 1, 1), "labels": ["a", "b", "c"]}
    images = torch.rand(1, 3, 16, 16)
    scripted = torch.jit.script(Closed(network).eval() if closed else network.eval())
    plain, made = (genviz.explain(n, images, method="all", checked=1, **QUICK, **given) for n in (network, scripted))
    assert set(made.left_out) == ({"cam", "gradcam", "guided_gradcam"} if closed else set())
    for name, maps in made.maps.items():
        torch.testing.assert_close(maps, plain.maps[name])
    assert all(one.likeness is not None for one in made.explained[0])


def test_occlusion_of_a_picture_smaller_than_the_stride():
    image = torch.rand(1, 3, 12, 12)
    classifier = genviz.load_classifier("hog", input_size=12)
    made = genviz.explain(classifier, image, "layer:hog", method="occlusion", steps=0)
    assert made.maps["occlusion"].isfinite().all()


@pytest.mark.slow
def test_filters_are_found_by_their_contribution_to_a_class():
    images = torch.rand(1, 3, 64, 64)
    found = genviz.explain("small", images, "filter:relu5_1:top2:zebra", method="saliency", **QUICK)
    (target,) = found.targets
    assert target.startswith("filter:relu5_1:")
    assert target.count("+") == 1


@pytest.mark.parametrize("name", ["A.PNG", "a.jpeg"])
def test_a_sheet_takes_the_suffixes_of_a_picture(tmp_path, name):
    explained = genviz.explain("small", torch.rand(1, 3, 64, 64), "class:zebra", method="saliency", **QUICK)
    assert Image.open(explained.save(tmp_path / name)).format == ("PNG" if name == "A.PNG" else "JPEG")
    with pytest.raises(genviz.UserError, match=r"must end in .png, .jpg or .jpeg"):
        explained.save(tmp_path / "a.gif")
