import csv
import os
import shutil

import numpy as np
import pytest
from conftest import TINY
from PIL import Image

from genviz.errors import UserError
from genviz.retrieval.neighbours import neighbours
from genviz.retrieval.settings import NeighboursSettings
from genviz.training import build

WORDS = ["classifier=small", "classifier.input_size=32", "trainer.accelerator=cpu", "logger=none"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos/below").mkdir(parents=True)
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (3, 4, 3), dtype=np.uint8)
        name = f"photos/{'below/' * (number > 2)}{number}.png"
        Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC).save(tmp_path / name)
    (tmp_path / "photos/broken.jpg").write_bytes(b"no picture")
    return tmp_path / "photos"


@pytest.fixture
def run(compose, folder):
    def made(*words):
        config = compose(f"data={folder}", *WORDS, *words, name="neighbours")
        NeighboursSettings.check(config)
        return neighbours(config)

    return made


def rows(folder):
    with (folder / "neighbours.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_picture_of_the_folder_is_its_own_nearest(run, folder, tmp_path, capsys):
    assert run(f"image={folder}/below/3.png", "count=4") == 0
    place = tmp_path / "outputs/neighbours/small/fc8.input/3"
    table = rows(place)
    assert (table[0]["picture"], table[0]["distance"], table[0]["place"]) == (f"{folder}/below/3.png", "0", "1")
    distances = [float(row["distance"]) for row in table]
    assert distances == sorted(distances)
    assert distances[1] > 0
    assert len(table) == 4
    said = capsys.readouterr()
    assert "the 4 nearest of 5 pictures to 3.png in fc8.input" in said.out
    assert said.err == f"left out: {folder}/broken.jpg cannot be decoded\n"
    assert len(list(place.glob("nearest-*.png"))) == 4
    assert Image.open(place / "sheet.png").width > 800


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_so_is_its_copy_elsewhere_and_under_any_spelling(run, folder, tmp_path, monkeypatch, metric):
    shutil.copy(folder / "1.png", tmp_path / "copy.png")
    assert run(f"image={tmp_path}/copy.png", f"metric={metric}", "layer=relu3_1") == 0
    (first, *_) = rows(tmp_path / "outputs/neighbours/small/relu3_1/copy")
    assert (first["picture"], first["distance"]) == (f"{folder}/1.png", "0")
    monkeypatch.chdir(folder / "below")
    assert run("image=../1.png", f"data={folder}/../photos") == 0
    assert rows(tmp_path / "outputs/neighbours/small/fc8.input/1")[0]["distance"] == "0"


def test_a_strip_is_no_wider_than_two_tiles_and_a_picture_that_is_damaged_since_is_grey(run, folder, tmp_path):
    Image.new("RGB", (3000, 1), "red").save(folder / "strip.png")
    Image.new("RGB", (60, 60), "red").save(folder / "later.png")
    assert run(f"image={folder}/strip.png", "count=6") == 0
    before = (folder / "later.png").stat()
    (folder / "later.png").write_bytes(bytes(before.st_size))
    os.utime(folder / "later.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(f"image={folder}/strip.png", "count=7") == 0
    place = tmp_path / "outputs/neighbours/small/fc8.input/strip"
    assert Image.open(place / "query.png").size == (320, 1)
    (rank,) = (int(row["place"]) for row in rows(place) if row["picture"].endswith("later.png"))
    assert Image.open(place / f"nearest-{rank:02}.png").convert("L").getextrema() == (223, 223)


def test_every_position_counts_without_pooling(run, folder, tmp_path):
    assert run(f"image={folder}/0.png", "pooling=none", "layer=relu1_1") == 0
    wide = rows(tmp_path / "outputs/neighbours/small/relu1_1/0")
    assert run(f"image={folder}/0.png", "layer=relu1_1") == 0
    narrow = rows(tmp_path / "outputs/neighbours/small/relu1_1/0")
    assert float(wide[1]["distance"]) > 2 * float(narrow[1]["distance"])


def test_fewer_neighbours_leave_no_picture_of_an_earlier_call(run, folder, tmp_path):
    run(f"image={folder}/0.png", "count=5")
    run(f"image={folder}/0.png", "count=2")
    assert len(list((tmp_path / "outputs/neighbours/small/fc8.input/0").glob("nearest-*.png"))) == 2


def test_pictures_of_one_name_have_a_folder_each(run, folder, tmp_path):
    place = tmp_path / "outputs/neighbours/small/fc8.input"
    shutil.copy(folder / "0.png", folder / "below/1.png")
    for query, number in (("1.png", ""), ("below/1.png", "-2"), ("1.png", "")):
        run(f"image={folder}/{query}", "count=1")
        assert (place / f"1{number}/source.txt").read_text() == f"{folder}/{query}\n"
        (own,) = rows(place / f"1{number}")
        assert own["distance"] == "0"
    assert {path.name for path in place.iterdir()} == {"1", "1-2"}
    assert rows(place / "1")[0]["picture"] == f"{folder}/1.png"


def test_the_generated_picture_of_a_class_is_trained_once(compose, folder, tmp_path, capsys):
    config = compose("target=class:zebra", f"data={folder}", *TINY, "logger=none", "updates=2", name="neighbours")
    NeighboursSettings.check(config)
    stamps = []
    for time in range(2):
        assert neighbours(config.copy()) == 0
        assert (" is done, 2 updates" in capsys.readouterr().out) is (time == 1)
        (final,) = (tmp_path / "outputs").glob("squeezenet1_1-random/*/class-zebra/final.png")
        stamps.append(final.stat().st_mtime_ns)
    assert stamps[0] == stamps[1]
    assert len(rows(tmp_path / "outputs/neighbours/squeezenet1_1-random/classifier.1.input/class-zebra")) == 5
    assert final.stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say whose neighbours: image=FILE, or target=class:harmonica"),
        (["image=a.jpg", "target=class:zebra"], "image=a.jpg and target=class:zebra: give only one of them"),
        (["image=/nowhere/x.jpg"], r"cannot read the picture /nowhere/x.jpg \(there is no such file\)"),
        (["image={folder}/broken.jpg"], r"cannot read the picture .*broken.jpg"),
        (["image={folder}"], "cannot read the picture"),
        (["image={folder}/0.png", "layer=relu9"], "no layer is called 'relu9'"),
        (["image={folder}/0.png", "layer=3"], "layer=3 must be a layer"),
        (["image={folder}/0.png", "data=/nowhere"], "data=/nowhere: there is no such folder"),
        (["image={folder}/0.png", "data={folder}/0.png"], "there is no such folder"),
        (["image={folder}/0.png", "data={empty}"], "no picture in it or its subfolders"),
        (["image={folder}/0.png", "metric=manhattan"], "metric=manhattan must be euclidean or cosine"),
        (["image={folder}/0.png", "pooling=max"], "pooling=max must be mean or none"),
        (["image={folder}/0.png", "count=0"], "count=0 must be a whole number"),
        (["image={folder}/0.png", "images=2"], "images=2: one picture is generated"),
        (["image={folder}/0.png", "targets=class:all"], "targets=class:all: neighbours are found of one picture"),
        (["target=class:zebr"], "no class is called 'zebr'"),
        (["image={folder}/0.png", "experiment=mahendran2016_figure3"], "is a figure of several pictures"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line_before_any_weights_are_loaded(run, monkeypatch, folder, tmp_path, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=says) as caught:
        run(*(word.format(folder=folder, empty=tmp_path / "empty") for word in words))
    assert len(str(caught.value)) <= 278
    assert not (tmp_path / "outputs").exists()


def test_a_folder_is_asked_for(compose):
    with pytest.raises(UserError, match="say which pictures: data=FOLDER"):
        NeighboursSettings.check(compose("image=a.jpg", *WORDS, name="neighbours"))


def test_a_folder_of_damaged_pictures_is_one_line(run, folder, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/a.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match="data=.*bad: none of its 1 pictures can be decoded"):
        run(f"image={folder}/0.png", f"data={tmp_path}/bad")
