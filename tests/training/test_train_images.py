"""Runs in this process: several images at once, and objectives that compare with a picture."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from genviz.classifiers.small import SmallClassifier
from genviz.images.pictures import read_image
from genviz.training import build, settings
from genviz.training.run_folders import RunFolders
from genviz.training.train import train

CLASSIFIER = ["classifier=small", "classifier.input_size=32", "trainer.accelerator=cpu", "logger=none"]
PIXELS = [*CLASSIFIER, "generator=pixels", "optimizer=adam", "lr_end=1", "objective.activation.warm_up=3"]


@pytest.fixture
def run(compose):
    """Run `train.py` on these words, and tell where the run's outputs are."""

    def trained(*words):
        config = compose(*words)
        settings.TrainSettings.check(config)
        target = build.target(config, build.sketch(config.classifier))
        assert train(config, target) == 0
        return RunFolders.of(config, target)

    return trained


@pytest.fixture
def picture(tmp_path):
    """A file with waves of colour."""
    rows, columns = np.mgrid[:40, :56] / 4
    waves = np.stack([np.sin(rows) + np.cos(columns), np.sin(rows + columns), np.cos(rows - columns)], 2)
    path = tmp_path / "picture.png"
    Image.fromarray((120 + 50 * waves).astype(np.uint8)).save(path)
    return path


def result(places):
    return json.loads(places.result.read_text())


@pytest.mark.parametrize(
    "words",
    [["transform=views"],
     pytest.param(["generator.margin=3", "transform=jitter", "optimizer=normalized_ascent", "optimizer.lr=0.1"],
                  marks=pytest.mark.slow),
     pytest.param(["generator=fourier", "transform=roll", "transform.roll.pixels=4"], marks=pytest.mark.slow),
     pytest.param(["generator=pixels", "generator.start=noise", "generator.range=open", "optimizer=pre_image",
                   "optimizer.lr=5"], marks=pytest.mark.slow)],
)  # fmt: skip
def test_each_of_three_images_is_the_picture_of_a_run_with_its_seed(run, words):
    words = ["target=class:harmonica", *PIXELS, *words, "updates=6", "snapshot_every=3"]
    together = run(*words, "images=3", "seed=5", "tag=together")
    files = sorted(path.name for path in together.outputs.glob("*.png"))
    assert files == ["final-5.png", "final-6.png", "final-7.png", "final.png"]
    row = read_image(together.picture)
    assert row.shape == (1, 3, 32, 96)
    told = result(together)["images"]
    assert [image["file"] for image in told] == files[:3]
    for number in range(3):
        image = read_image(together.outputs / f"final-{5 + number}.png")
        assert torch.equal(row[..., 32 * number : 32 * (number + 1)], image)
        with Image.open(together.outputs / f"final-{5 + number}.png") as opened:
            assert opened.text["seed"] == str(5 + number)
        if number == 1:
            continue
        alone = run(*words, f"seed={5 + number}", f"tag=alone{number}")
        assert (image - read_image(alone.picture)).abs().max() <= 1.001 / 255
        assert (image - read_image(alone.outputs / "snapshots/00000.png")).abs().max() > 2 / 255
        own = result(alone)
        assert "images" not in own
        assert told[number]["activation"] == pytest.approx(own["activation"], rel=0.05, abs=0.05)
    assert result(together)["activation"] == told[0]["activation"]


@pytest.mark.parametrize(
    "words",
    [["transform=views", "images=3"], ["transform=[views,dropout]", "objective=[activation,natural]", "images=2"],
     pytest.param(["generator.margin=3", "transform=jitter", "images=2"], marks=pytest.mark.campaign),
     pytest.param(["generator=octaves", "generator.size=[64,60]", "generator.start=noise", "generator.octaves=3",
      "images=2", "generator.steps=3", "transform=roll", "optimizer=normalized_ascent"], marks=pytest.mark.campaign)],
)  # fmt: skip
def test_continued_in_the_middle_several_images_end_in_the_same_bits(run, tmp_path, words):
    words = ["target=class:harmonica", *PIXELS, *words, "snapshot_every=3", "checkpoint_every=2"]
    words += ["objective.activation.ramp=0"]  # so that a run may be made longer
    straight = run(*words, "updates=8")
    for path in (straight.outputs, straight.checkpoint.parent):
        shutil.move(path, tmp_path / f"straight-{path.parts[len(tmp_path.parts)]}")
    for updates in (2, 4, 6, 8):  # 3 updates an octave: in the middle of one, and as one begins
        resumed = run(*words, f"updates={updates}")
    for name in ("final.png", "snapshots/00006.png", "metrics.csv"):
        assert (tmp_path / "straight-outputs" / name).read_bytes() == (resumed.outputs / name).read_bytes()


def inversion(picture):
    return ["target=layer:relu2_1", *PIXELS[:-1], "objective=inversion", f"image={picture}", "transform=none"]


def test_an_inversion_is_judged_by_its_normalized_error_on_the_file(run, picture):
    """Mahendran & Vedaldi 2016, Table 5."""
    places = run(*inversion(picture), "updates=8", "regularizer=none", "snapshot_every=4")
    told = result(places)
    assert told["verdict"] == "improved"
    classifier = SmallClassifier(input_size=32)
    seen = {}
    for name, path in (("x", places.picture), ("x0", picture), ("first", places.outputs / "snapshots/00000.png")):
        seen[name] = classifier(read_image(path), ["relu2_1"])["relu2_1"].double()
    errors = [((seen[n] - seen["x0"]) ** 2).sum().sqrt() / (seen["x0"] ** 2).sum().sqrt() for n in ("x", "first")]
    assert told["measures"] == {"normalized error": pytest.approx(errors[0].item(), rel=1e-4)}
    assert errors[0] < 0.95 * errors[1]
    assert f"normalized error {errors[0]:.4g}" in told["explanation"]
    assert f"at first {errors[1]:.4g}" in told["explanation"]


def test_an_inversion_that_goes_the_wrong_way_says_so(run, picture):
    words = [*inversion(picture), "generator.start=" + str(picture), "generator.noise=0"]
    told = result(run(*words, "updates=3", "optimizer.lr=0.3", "regularizer.total_variation.weight=1e4"))
    assert told["verdict"] == "not improved"
    assert "try more updates" in told["explanation"]


def test_of_several_inversions_each_is_judged(run, picture):
    told = result(run(*inversion(picture), "updates=6", "images=2"))
    assert [image["verdict"] for image in told["images"]] == ["improved", "improved"]
    errors = [image["measures"]["normalized error"] for image in told["images"]]
    assert errors[0] != errors[1]
    assert told["measures"]["normalized error"] == errors[0]


def test_content_and_style_together(run, picture, tmp_path):
    Image.open(picture).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "style.png")
    words = ["target=layer:relu3_1", *PIXELS[:-1], "objective=[content,style]", f"image={picture}", "updates=8"]
    words += [f"style={tmp_path}/style.png", "objective.style.at=layer:relu1_1+relu2_1@0.5"]
    places = run(*words, "objective.style.weight=100", "transform=none", "regularizer=none")
    told = result(places)
    classifier = SmallClassifier(input_size=32)
    content, style, seen = (
        classifier(read_image(path), ["relu1_1", "relu2_1", "relu3_1"])
        for path in (picture, tmp_path / "style.png", places.picture)
    )
    loss = ((seen["relu3_1"] - content["relu3_1"]) ** 2).sum().item() / 2
    assert told["measures"]["content, content loss"] == pytest.approx(loss, rel=1e-3)
    loss = 0.0
    for layer, weight in (("relu1_1", 1.0), ("relu2_1", 0.5)):
        ours, theirs = seen[layer][0].flatten(1), style[layer][0].flatten(1)
        n, m = ours.shape
        loss += weight * ((ours @ ours.T - theirs @ theirs.T) ** 2).sum().item() / (4 * n**2 * m**2)
    assert told["measures"]["style, style loss"] == pytest.approx(loss, rel=1e-3)
    assert told["verdict"] == "improved"
    header = (places.outputs / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"score/content", "score/style", "score"} <= set(header)


@pytest.mark.parametrize("objective", ["caricature", "squared_activation", "probability", "inner_product"])
def test_each_other_objective_runs(run, picture, objective):
    target = "class:harmonica" if objective == "probability" else "layer:relu3_1"
    words = [f"target={target}", *PIXELS[:-1], f"objective={objective}", f"image={picture}", "updates=6"]
    told = result(run(*words, f"pictures={picture.parent}", "regularizer=none", "generator.start=noise"))
    ranked = objective == "probability"  # a layer as a whole has no rank
    assert told["verdict"] in ({"recognised", "top five", "not reached"} if ranked else {"improved"})
    assert len(told["measures"]) == 1


def test_snapshots_can_be_after_chosen_updates(run):
    places = run("target=class:harmonica", *PIXELS, "updates=6", "snapshot_every=[1,4]")
    assert sorted(path.stem for path in (places.outputs / "snapshots").iterdir())[-3:] == ["00001", "00004", "00006"]
