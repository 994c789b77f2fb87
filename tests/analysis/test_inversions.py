import csv
import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from damage import damage, everything
from PIL import Image

from genviz.analysis import inversions as program
from genviz.analysis import settings
from genviz.analysis.inversion_table import Cell
from genviz.analysis.inversions import invert
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.images.pictures import read_image, read_upright, resize
from genviz.training import build

LAYERS = ["relu1_1", "scores"]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "photos"
    for number, place in enumerate(("a.png", "below/a.png", "z.jpg")):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((60, 50), Image.Resampling.BICUBIC).save(folder / place)
    return folder


@pytest.fixture
def run(compose, pictures):
    def made(*words):
        words = ("classifier=small", f"layers=[{','.join(LAYERS)}]", "strengths=[1,100]", "updates=4", *words)
        config = compose(f"pictures={pictures}", "count=2", "trainer.accelerator=cpu", *words, name="invert")
        settings.InvertSettings.check(config)
        return invert(config)

    return made


def rows(tmp_path, name="small"):
    with (tmp_path / "outputs/invert" / name / "errors.csv").open() as file:
        return {(row["layer"], row["C"], row["picture"]): float(row["error"]) for row in csv.DictReader(file)}


def test_each_error_is_that_of_the_file(run, pictures, tmp_path, capsys):
    run()
    found = rows(tmp_path)
    assert set(found) == {
        (layer, c, name) for layer in LAYERS for c in ("1.0", "100.0") for name in ("a.png", "below/a.png")
    }
    network = SmallClassifier()
    for (layer, c, name), error in found.items():
        digest = hashlib.sha256((pictures / name).read_bytes()).hexdigest()[:6]
        file = f"{layer}-C{float(c):g}-{Path(name).stem}-{digest}.png"
        made = read_image(tmp_path / "outputs/invert/small/pictures" / file)
        wanted = network(resize(read_upright(pictures / name), (128, 128)), [layer])[layer]
        assert error == pytest.approx(float((network(made, [layer])[layer] - wanted).norm() / wanted.norm()), abs=2e-5)
    printed = capsys.readouterr().out
    errors = np.array([100 * found["scores", "100.0", name] for name in ("a.png", "below/a.png")])
    assert f"{errors.mean():.1f} ± {errors.std(ddof=1):.1f}" in printed
    assert (tmp_path / "outputs/invert/small/sheet.png").exists()


@pytest.mark.slow
def test_what_is_there_is_not_made_again(run, tmp_path, monkeypatch):
    run()
    path = tmp_path / "outputs/invert/small/errors.csv"
    whole, lines = rows(tmp_path), path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[3][:9]]))  # killed in the middle of a row
    made = []
    original = program._invert

    def counted(*arguments):
        made.extend(arguments[2])
        return original(*arguments)

    monkeypatch.setattr(program, "_invert", counted)
    run()
    assert len(made) == len(whole) - 2
    assert rows(tmp_path) == pytest.approx(whole)


@pytest.mark.parametrize("way", ["flipped", "folder"])
@pytest.mark.parametrize("file", ["errors.csv", "picture"])
@pytest.mark.slow
def test_a_damaged_file_is_made_again(run, tmp_path, file, way):
    run()
    whole, folder = rows(tmp_path), tmp_path / "outputs/invert/small"
    kept = damage(folder / file if file == "errors.csv" else sorted(folder.glob("pictures/*.png"))[0], way)
    assert run() == 0
    assert rows(tmp_path) == pytest.approx(whole)
    assert kept in everything(folder)
    assert len([*folder.glob("pictures/*.png")]) == len(whole)


def test_a_table_of_which_nobody_knows_the_settings_is_one_line(run, tmp_path):
    run()
    (tmp_path / "outputs/invert/small/identity.json").write_text("{")
    with pytest.raises(UserError, match="is damaged; resume=false"):
        run()


@pytest.mark.slow
def test_a_batch_gives_what_each_picture_gives_alone(run, tmp_path):
    torch.manual_seed(5)
    run("name=one", "batch=1")
    torch.manual_seed(6)
    run("name=two", "batch=2")
    assert rows(tmp_path, "two") == pytest.approx(rows(tmp_path, "one"), rel=1e-3)


@pytest.mark.campaign
def test_another_picture_of_that_name_is_another_picture(run, pictures, tmp_path):
    run()
    before = rows(tmp_path)
    Image.open(pictures / "a.png").rotate(90).save(pictures / "a.png")
    run()
    assert rows(tmp_path)["scores", "100.0", "a.png"] != before["scores", "100.0", "a.png"]
    assert rows(tmp_path)["scores", "100.0", "below/a.png"] == before["scores", "100.0", "below/a.png"]


@pytest.mark.campaign
def test_pictures_that_differ_in_their_suffix_do_not_share_a_file(run, pictures, tmp_path):
    Image.open(pictures / "below/a.png").convert("RGB").save(pictures / "a.jpg")
    run("name=one", "batch=1")
    run("name=two", "batch=2")
    assert rows(tmp_path, "two") == pytest.approx(rows(tmp_path, "one"), rel=1e-3)


def test_what_becomes_no_number_is_not_in_the_table(run, tmp_path):
    with pytest.raises(UserError, match="no longer finite"):
        run("optimizer=sgd", "~optimizer.until", "optimizer.lr=1e38", "updates=6")


@pytest.mark.campaign
def test_a_table_of_other_settings_is_kept(run, tmp_path):
    run()
    with pytest.raises(UserError, match=r"holds a table made with other settings \(seed\); name=NAME keeps both"):
        run("seed=1")
    run("seed=1", "resume=false")
    assert (tmp_path / "outputs/invert/small~1/errors.csv").exists()


def test_a_pattern_is_the_pictures_that_match(compose, pictures):
    config = compose(f"pictures={pictures}/*/*.png", "classifier=small", name="invert")
    assert program._pictures(config) == {"below/a.png": pictures / "below/a.png"}
    (pictures / "odd*.png").write_bytes((pictures / "a.png").read_bytes())
    config = compose(f"pictures={pictures}/odd*.png", "classifier=small", name="invert")
    assert program._pictures(config) == {"odd*.png": pictures / "odd*.png"}


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_a_name_that_is_not_utf8_is_in_the_table(run, pictures, tmp_path, capsys):
    (pictures / "a.png").rename(pictures / os.fsdecode(b"a\xff.png"))
    assert run("count=1", "strengths=[1]", "layers=[relu1_1]", "updates=1") == 0
    ((_, _, name),) = rows(tmp_path)
    assert name == "a\\udcff.png"
    assert "normalized error in percent, of one picture, by layer and C:" in capsys.readouterr().out
    before = (tmp_path / "outputs/invert/small/errors.csv").stat().st_mtime_ns
    assert run("count=1", "strengths=[1]", "layers=[relu1_1]", "updates=1") == 0
    assert (tmp_path / "outputs/invert/small/errors.csv").stat().st_mtime_ns == before


def test_layers_have_to_be_named_where_none_is_called_as_in_the_papers(compose, classifier):
    config = compose("pictures=photos", "classifier=small", name="invert")
    layers = classifier.outline.layers
    named = [layer._replace(name=name) for layer, name in zip(layers, ("features.0", "features.1"), strict=False)]
    with pytest.raises(UserError, match=r"say which layers, layers=\[NAME,NAME\]; genviz layers CLASSIFIER lists them"):
        program._layers(config, classifier.outline._replace(layers=(*named, layers[-1])))
    assert program._layers(config, classifier.outline) == ["conv1", "relu1", "scores"]


@pytest.mark.parametrize(
    ("words", "says"),
    [(["strengths=3"], "must be a list of numbers"), (["strengths=[]"], "must be a list of numbers"),
     (["batch=0"], "batch=0"), (["layers=relu1_1"], "must be a list of layers"),
     (["layers=[relu9]"], "no layer is called 'relu9'"), (["layers=[relu1_1+relu2_1]"], "no layer is called"),
     (["pictures=/nowhere"], "pictures=/nowhere: there is no such folder"), (["name=../x"], "must be a folder name")],
)  # fmt: skip
def test_what_cannot_work_is_one_line(run, tmp_path, words, says):
    with pytest.raises(UserError, match=says):
        run(*words)
    assert not (tmp_path / "outputs").exists()


def test_vgg16_is_inverted_at_a_layer_of_each_depth_in_the_embedded_size(compose):
    config = compose("pictures=photos", "classifier=embedded", name="invert")
    outline = build.sketch(config.classifier)
    assert outline.input_size == (224, 224)
    assert program._layers(config, outline) == [
        "conv1_2",
        "conv2_2",
        "conv3_3",
        "conv4_3",
        "conv5_1",
        "conv5_3",
        "pool5",
    ]
    chosen = compose("pictures=photos", "classifier=embedded", "layers=[relu5_1]", name="invert")
    assert program._layers(chosen, outline) == ["relu5_1"]


def test_table_4_is_an_experiment(compose, pictures, tmp_path, capsys):
    """Its layer is the whole representation, its pictures are grey."""
    words = (
        "experiment=mahendran2016_table4",
        "classifier=dsift",
        "classifier.input_size=48",
        "trainer.accelerator=cpu",
    )
    config = compose(f"pictures={pictures}", "count=1", "updates=30", "strengths=[20]", *words, name="invert")
    settings.InvertSettings.check(config)
    assert invert(config) == 0
    ((layer, _, _),) = found = rows(tmp_path, "dsift")
    assert layer == "dsift"
    assert 0 < found[layer, "20.0", "a.png"] < 0.8
    (picture,) = (tmp_path / "outputs/invert/dsift/pictures").glob("*.png")
    assert np.ptp(np.array(Image.open(picture)), axis=2).max() == 0


def test_the_name_of_a_picture_is_one_that_a_file_system_takes():
    cells = [Cell("relu1", 100.0, f"{'山' * 70}{end}.jpg", "abcdef") for end in "ab"]
    assert len({cell.file for cell in cells}) == 2
    assert max(len(cell.file.encode()) for cell in cells) < 230
