import json

import pytest
from noisy_pictures import noise
from omegaconf import OmegaConf
from PIL import Image

from genviz.errors import UserError
from genviz.sweeps.figure import draw, panels
from genviz.training import build

WORDS = ["classifier=small", "updates=2", "logger=none", "trainer.accelerator=cpu"]


@pytest.fixture
def picture(tmp_path):
    noise((40, 30), 80).convert("RGB").save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def test_a_figure_is_a_run_for_each_panel_and_a_sheet(compose, picture, tmp_path):
    words = ["experiment=gerretsen_figure4", f"image={picture}", *WORDS]
    config = compose(*words)
    assert draw(config) == 0
    folder = tmp_path / "outputs/small"
    results = sorted(folder.glob("*/*/result.json"))
    assert len(results) == 4
    tags = {path.parent.parent.name.removeprefix("pixels-gerretsen_figure4-cat-") for path in results}
    assert tags == {"weight_0.0", "weight_0.01"}
    assert {json.loads(path.read_text())["target"] for path in results} == {"layer:relu1_1", "layer:relu2_1"}
    sheet = Image.open(folder / "pixels-gerretsen_figure4-cat/sheet.png")
    assert sheet.width > 2 * 128 > sheet.height / 2
    stamps = [path.stat().st_mtime_ns for path in results]
    assert draw(config) == 0
    assert [path.stat().st_mtime_ns for path in results] == stamps  # what is done is not done again


def test_a_network_is_built_once_for_panels_that_share_it(compose, picture, monkeypatch):
    built, build_one = [], build.classifier
    monkeypatch.setattr(build, "classifier", lambda settings: built.append(settings.input_size) or build_one(settings))
    config = compose(
        "experiment=mahendran2016_figure10", f"image={picture}", "objective.inversion.channels=null", *WORDS
    )
    words = ["target=layer:relu1_1", "target=layer:relu2_1", "classifier.input_size=48 target=layer:relu1_1"]
    OmegaConf.update(config, "panels", {"small": words}, force_add=True)
    assert draw(config) == 0
    assert built == [None, 48]


def test_a_panels_words_are_its_configurations(compose, picture):
    words = ["experiment=mahendran2016_figure10", f"image={picture}", "classifier=squeezenet1_0", *WORDS[1:]]
    rows = panels(compose(*words))
    assert [len(row) for row in rows] == [4, 4]
    first, second = rows[0][0], rows[1][0]
    assert (first.target, list(first.objective.inversion.channels)) == ("layer:fire2", [0, 64])
    assert list(second.objective.inversion.channels) == [64, 128]
    assert first.objective.inversion.weight == 300
    assert first.tag != second.tag


def test_a_network_without_panels_is_told_what_to_do(compose, picture):
    config = compose("experiment=mahendran2016_figure5", f"image={picture}", "classifier=resnet50", *WORDS[1:])
    with pytest.raises(UserError, match="names layers of alexnet, .*, squeezenet1_0, but none of resnet50; .* target"):
        draw(config)


def test_a_missing_picture_is_one_line_before_anything_is_made(compose, tmp_path):
    with pytest.raises(UserError, match="say which picture: image=FILE"):
        draw(compose("experiment=gerretsen_figure4", *WORDS))
    assert not (tmp_path / "outputs").exists()


def test_a_target_makes_one_picture_of_a_figure(called, tmp_path, picture):
    words = ["experiment=mahendran2016_figure5", "target=layer:relu4_1", f"image={picture}", *WORDS]
    assert called("train", *words).returncode == 0
    assert len(list(tmp_path.glob("outputs/*/*/*/final.png"))) == 1


def test_a_figure_of_several_networks_shows_what_one_draws(compose, picture, tmp_path):
    words = ["experiment=mahendran2016_figure4", f"image={picture}", "classifier.input_size=48", *WORDS[1:]]
    config = compose(*words)
    assert [panel.choices.classifier for panel in panels(config)[0]] == ["hog", "hogb", "dsift"]
    assert [panel.classifier.input_size for panel in panels(config)[0]] == [48, 48, 48]
    assert draw(config) == 0
    assert len(list(tmp_path.glob("outputs/*/*/*/result.json"))) == 3
    names = sorted(path.relative_to(tmp_path).parts[1] for path in tmp_path.glob("outputs/*/*/*/drawn-image.png"))
    assert names == ["hog", "hogb"]
    sheet = Image.open(next(tmp_path.glob("outputs/hog/*/sheet.png")))
    assert sheet.width > 5 * 40
