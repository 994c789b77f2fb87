import csv

import numpy as np
import pytest
from conftest import TINY
from made_up import data_of
from PIL import Image

from genviz.errors import UserError
from genviz.retrieval import plane
from genviz.retrieval.map import map as draw
from genviz.retrieval.settings import MapSettings
from genviz.training import build

WORDS = ["classifier=small", "classifier.input_size=32", "trainer.accelerator=cpu", "logger=none"]


@pytest.fixture
def folder(tmp_path):
    for number in range(12):
        (tmp_path / f"photos/{'ab'[number % 2]}").mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (3, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC)
        picture.save(tmp_path / f"photos/{'ab'[number % 2]}/{number:02}.png")
    (tmp_path / "photos/broken.jpg").write_bytes(b"no picture")
    return tmp_path / "photos"


@pytest.fixture
def run(compose, folder):
    def made(*words):
        config = compose(f"data={folder}", *WORDS, *words, name="map")
        MapSettings.check(config)
        return draw(config)

    return made


def rows(folder):
    with (folder / "places.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_map_is_a_page_two_pictures_and_a_table(run, folder, tmp_path, capsys, method):
    assert run(f"method={method}", "thumbnail=16") == 0
    place = tmp_path / f"outputs/map/small/fc8.input-{method}/photos"
    table = rows(place)
    assert [row["picture"] for row in table][:2] == [f"{folder}/a/00.png", f"{folder}/a/02.png"]
    assert {row["folder"] for row in table} == {"a", "b"}
    assert len({(row["column"], row["row"]) for row in table}) == 12
    places = np.array([[float(row[axis]) for axis in "xy"] for row in table])
    assert (places >= 0).all()
    assert (places <= 1).all()
    assert np.ptp(places, 0).max() == pytest.approx(1, abs=1e-5)  # they fill the longer direction
    assert len({tuple(own) for own in places.tolist()}) == 12
    assert Image.open(place / "grid.png").size == (4 * 16, 3 * 16)
    assert max(Image.open(place / "map.png").size) == round(1.6 * 4 * 16)
    said = data_of(place / "map.html")
    assert said["names"][0] == "a/00.png"
    assert said["links"][0] == "../../../../../photos/a/00.png"
    assert said["x"] == pytest.approx([float(row["x"]) for row in table], abs=1e-5)
    assert said["generated"] == []
    assert [said["labels"][number] for number in said["called"]] == [row["called"] for row in table]
    assert "A picture's nearest other is of its folder for" in capsys.readouterr().out
    before = (place / "places.csv").read_bytes()
    assert run(f"method={method}", "thumbnail=16") == 0
    assert (place / "places.csv").read_bytes() == before
    assert run(f"method={method}", "thumbnail=16", "seed=1") == 0
    assert ((place / "places.csv").read_bytes() == before) is (method == "pca")  # which draws nothing


def test_the_current_folder_has_a_name(run, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    assert run("data=.", "method=pca") == 0
    assert (tmp_path / "outputs/map/small/fc8.input-pca/photos/map.html").exists()


def test_folders_of_one_name_have_a_map_each(run, folder, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/photos").symlink_to(folder / "a")
    place = tmp_path / "outputs/map/small/fc8.input-pca"
    assert run("method=pca") == run("method=pca", f"data={folder}/a*/*.png") == run("method=pca") == 0
    assert {path.name for path in place.iterdir()} == {"photos", "photos-2"}
    assert [len(rows(place / name)) for name in ("photos", "photos-2")] == [12, 6]
    assert run("method=pca", f"data={tmp_path}/more/photos") == 0
    assert (place / "a/source.txt").read_text() == f"{folder}/a\n"


def test_the_longest_side_is_bounded(run, tmp_path):
    assert run("method=pca", "side=64") == 0
    place = tmp_path / "outputs/map/small/fc8.input-pca/photos"
    assert max(Image.open(place / "grid.png").size) <= 64
    assert max(Image.open(place / "map.png").size) <= 64 + 64


def test_generated_pictures_are_among_the_others(compose, folder, tmp_path):
    words = ["targets=class:zebra,class:tiger", f"data={folder}", *TINY, "logger=none", "updates=2", "method=pca"]
    config = compose(*words, name="map")
    MapSettings.check(config)
    assert draw(config) == 0
    place = tmp_path / "outputs/map/squeezenet1_1-random/classifier.1.input-pca/photos"
    table = rows(place)
    assert [row["generated"] for row in table[12:]] == ["class:zebra", "class:tiger"]
    assert data_of(place / "map.html")["generated"] == [[12, "class:zebra"], [13, "class:tiger"]]
    assert len(list((tmp_path / "outputs").glob("squeezenet1_1-random/*/class-*/final.png"))) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data=/nowhere"], "data=/nowhere: there is no such folder"),
        (["data={empty}"], "no picture in it or its subfolders"),
        (["data={few}"], "a map takes at least 4 pictures, but there are only 3"),
        (["perplexity=13"], "perplexity=13 must be below the number of pictures, 13"),
        (["perplexity=0"], "perplexity=0 must be auto or a number from 1 up"),
        (["perplexity=high"], "perplexity=high must be auto or a number"),
        (["method=mds"], "method=mds must be tsne, pca or umap"),
        (["method=umap"], "method=umap needs the package umap-learn"),
        (["layer=relu9"], "no layer is called 'relu9'"),
        (["thumbnail=4"], "thumbnail=4 must be a whole number from 8 to 256"),
        (["side=1"], "side=1 must be a whole number"),
        (["target=class:zebra"], "a map takes one or several as targets=class:zebra"),
        (["targets=class:zebr"], "no class is called 'zebr'"),
        (["targets=filter:relu3_1:top3:zebra"], "name the filters by their numbers"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line_before_any_weights_are_loaded(run, monkeypatch, folder, tmp_path, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    monkeypatch.setattr(plane, "find_spec", lambda name: None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "few").mkdir()
    for number in range(3):
        (tmp_path / f"few/{number}.png").write_bytes((folder / "a/00.png").read_bytes())
    with pytest.raises(UserError, match=says) as caught:
        run(*(word.format(empty=tmp_path / "empty", few=tmp_path / "few") for word in words))
    assert len(str(caught.value)) <= 278
    assert not (tmp_path / "outputs").exists()


def test_too_few_sound_pictures_are_one_line(run, folder, tmp_path):
    (tmp_path / "bad").mkdir()
    for number in range(5):
        (tmp_path / f"bad/{number}.png").write_bytes((folder / "a/00.png").read_bytes() if number < 2 else b"none")
    with pytest.raises(UserError, match="at least 4 pictures, but there are only 2"):
        run(f"data={tmp_path}/bad")
