import csv
from pathlib import Path

import numpy as np
import pytest
import template_network
import torch
from noisy_pictures import noise
from PIL import Image

from genviz.attribution.projection import projected
from genviz.classifiers.small import SmallClassifier
from genviz.images.maps import signed_picture
from genviz.images.pictures import display, read_upright, resize
from genviz.retrieval.kernels import ordered
from genviz.training import build

WORDS = ["classifier=small", "classifier.input_size=64", "trainer.accelerator=cpu", "logger=none"]


@pytest.fixture
def picture(tmp_path):
    noise((80, 60), 90).convert("RGB").save(tmp_path / "a cat.png")
    return tmp_path / "a cat.png"


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_first_layers_kernels_are_in_colours(called, tmp_path):
    done = called("filters", "layer=relu1_1", "order=norm", *WORDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("relu1_1 has the channels of conv1_1")
    place = tmp_path / "outputs/filters/small/conv1_1"
    kernels = np.load(place / "kernels.npy")
    table = rows(place / "kernels.csv")
    norms = np.linalg.norm(kernels.reshape(len(kernels), -1), axis=1)
    assert [int(row["filter"]) for row in table] == np.argsort(-norms, kind="stable").tolist()
    assert [float(row["norm"]) for row in table] == pytest.approx(np.sort(norms)[::-1].tolist(), rel=1e-6)
    assert Image.open(place / "sheet.png").width > 100


def test_a_template_is_seen_on_the_sheet(called, tmp_path):
    done = called("filters", "layer=0", "count=1", *template_network.WORDS)
    assert done.returncode == 0, done.stderr
    sheet = np.asarray(Image.open(next((tmp_path / "outputs/filters").rglob("sheet.png"))).convert("RGB"))
    wanted = ((template_network.templates()[0] > 0) * 255).byte().permute(1, 2, 0).numpy()
    assert (sheet[8 + 22 + 14 + 4 : 8 + 22 + 14 + 40 : 8, 12:48:8] == wanted).all()


def test_maps_are_those_of_the_picture_with_the_loudest_first(called, picture, tmp_path):
    done = called("filters", "layer=relu2_1", f"image={picture}", "count=7", *WORDS)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "outputs/filters/small/relu2_1/a_cat"
    classifier = SmallClassifier(input_size=64)
    expected = classifier(resize(read_upright(picture), (64, 64)), ["relu2_1"])["relu2_1"][0]
    assert torch.allclose(torch.from_numpy(np.load(place / "maps.npy")), expected, atol=1e-5)
    table = rows(place / "maps.csv")
    order = expected.flatten(1).amax(1).sort(descending=True, stable=True).indices[:7]
    assert [int(row["filter"]) for row in table] == order.tolist()
    assert [float(row["mean"]) for row in table] == pytest.approx(expected.mean((1, 2))[order].tolist(), rel=1e-4)
    assert Image.open(place / "picture.png").size == (64, 64)


def test_pictures_of_one_name_have_a_folder_and_a_figure_each(called, picture, tmp_path, monkeypatch):
    other = tmp_path / "x/a_cat.png"
    other.parent.mkdir()
    noise((80, 60), 20, 1).convert("RGB").save(other)
    place = tmp_path / "outputs/filters/small"
    words = ["layer=relu1_1,relu2_1", "count=2", *WORDS]
    assert called("filters", f"image={picture}", *words).returncode == 0
    before = {path: path.read_bytes() for path in place.rglob("*.*")}
    assert called("filters", f"image={other}", *words).returncode == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    assert {path.name for path in place.glob("layers-*.png")} == {"layers-a_cat.png", "layers-a_cat-2.png"}
    assert (place / "relu2_1/a_cat-2/source.txt").read_text() == f"{other}\n"
    expected = resize(read_upright(other), (64, 64))[0]
    shown = np.asarray(Image.open(place / "relu1_1/a_cat-2/picture.png")).transpose(2, 0, 1) / 255
    assert np.abs(shown - expected.numpy()).max() < 1 / 255


def test_a_picture_at_home_is_one(called, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "expanduser", lambda path: Path(str(path).replace("~", str(tmp_path))))
    done = called("filters", "layer=relu1_1", "image=~/a cat.png", *WORDS)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs/filters/small/relu1_1/a_cat/maps.csv").is_file()


@pytest.mark.parametrize("order", ["number", "norm", "similarity", "loudest"])
def test_maps_come_in_every_order(called, picture, tmp_path, order):
    assert called("filters", "layer=conv2_1", f"image={picture}", f"order={order}", *WORDS).returncode == 0
    place = tmp_path / "outputs/filters/small/conv2_1/a_cat"
    maps = torch.from_numpy(np.load(place / "maps.npy"))  # all of them, in the layer's order
    wanted = ordered(maps, order)
    assert [int(row["filter"]) for row in rows(place / "maps.csv")] == wanted
    assert len(wanted) == len(maps) > 1
    assert (wanted == list(range(len(maps)))) is (order == "number")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say which layer, such as layer=conv1_1"),
        (["layer=relu9"], "no layer is called 'relu9'"),
        (["layer=relu1_1", "order=loud"], "order=loud must be number, norm, similarity or loudest"),
        (["layer=relu1_1", "order=loudest"], "order=loudest is for activation maps"),
        (["layer=relu1_1", "count=0"], "count=0 must be a whole number"),
        (["layer=relu1_1", "image=none.png"], "cannot read the picture none.png (there is no such file)"),
        (["layer=relu1_1", "image=text.png"], "cannot read the picture text.png"),
        (["layer=scores", "image=a cat.png"], "has no rows and columns"),
        (["layer=relu1_1", "target=class:1"], "the targets are the filters; order= and count= choose them"),
    ],
)
def test_what_cannot_work_is_one_line_before_any_weights_are_loaded(
    called, picture, monkeypatch, tmp_path, words, says
):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    (tmp_path / "text.png").write_text("text")
    done = called("filters", *WORDS, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_layer_without_kernels_is_one_line(called):
    done = called("filters", "layer=scores", *WORDS)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "scores has no kernels" in done.stderr


def test_generated_pictures_are_in_the_kernels_order_and_those_of_a_training(called, tmp_path):
    words = [*WORDS, "generator=fourier", "updates=2"]
    done = called("filters", "layer=relu2_1", "order=similarity", "count=3", "generate=true", *words)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "outputs/filters/small/conv2_1"
    numbers = [int(row["filter"]) for row in rows(place / "kernels.csv")]
    assert numbers == [17, 12, 34]  # which is not the layer's order
    made = {path.parent.name: path for path in (tmp_path / "outputs").rglob("final.png")}
    assert set(made) == {f"filter-relu2_1-{number}" for number in numbers}
    alone = called("train", f"target=filter:relu2_1:{numbers[0]}", *words)
    assert "is done" in alone.stdout
    sheet = np.asarray(Image.open(place / "generated.png").convert("RGB"))
    pictures = [read_upright(made[f"filter-relu2_1-{number}"]) for number in numbers]
    tiles = [display(resize(own, (160, 160))[0]).numpy() for own in pictures]
    for number, own in enumerate(tiles):  # with a margin of 8 pixels around each, under two lines of 14
        assert np.array_equal(sheet[44 : 44 + 160, 8 + 168 * number :][:, :160], own), number
    assert len({own.tobytes() for own in tiles}) == 3


@pytest.mark.slow
def test_a_pictures_loudest_filters_are_generated_without_that_picture(called, picture, tmp_path):
    words = [*WORDS, "generator=fourier", "updates=2"]
    done = called("filters", "layer=relu2_1", f"image={picture}", "count=2", "generate=true", *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs/filters/small/relu2_1/a_cat/generated.png").is_file()
    (number, _) = (int(row["filter"]) for row in rows(tmp_path / "outputs/filters/small/relu2_1/a_cat/maps.csv"))
    assert "is done" in called("train", f"target=filter:relu2_1:{number}", *words).stdout


def test_sheets_are_logged(called, tmp_path):
    done = called("filters", "layer=conv1_1", "count=4", *WORDS[:-1])
    assert done.returncode == 0, done.stderr
    assert "wandb sync" in done.stdout
    (run,) = (tmp_path / "outputs/filters/small/conv1_1/wandb").glob("offline-run-*")
    (logged,) = run.rglob("media/images/sheet*.png")
    assert logged.read_bytes() == (tmp_path / "outputs/filters/small/conv1_1/sheet.png").read_bytes()


def test_maps_are_sent_back_layer_by_layer(called, picture, tmp_path):
    done = called("filters", "layer=relu1_1,relu3_1", f"image={picture}", "count=3", "project=deconvnet", *WORDS)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "outputs/filters/small"
    for layer in ("relu1_1", "relu3_1"):
        assert {path.name for path in (place / layer / "a_cat").iterdir()} == {
            "sheet.png", "deconvnet.png", "picture.png", "first.png", "maps.npy", "maps.csv", "source.txt",
        }  # fmt: skip
    with Image.open(place / "layers-a_cat.png") as figure:
        assert figure.width > 2 * 64
    first = int(rows(place / "relu3_1/a_cat/maps.csv")[0]["filter"])
    classifier = SmallClassifier(input_size=64)
    image = resize(read_upright(picture), (64, 64))
    expected = signed_picture(projected(classifier, image, "relu3_1", first)[0])
    with Image.open(place / "relu3_1/a_cat/first.png") as shown:
        assert np.abs(np.asarray(shown).astype(int) - expected.numpy()).max() <= 1


@pytest.mark.parametrize("words", [["layer=relu1_1,relu3_1"], ["layer=relu1_1", "project=deconvnet"]])
def test_projections_need_a_picture(called, words):
    done = called("filters", *words, *WORDS)
    assert done.returncode == 2
    assert "give image=FILE" in done.stderr
