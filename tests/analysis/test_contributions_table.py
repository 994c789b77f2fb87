import csv

import pytest
import torch
from noisy_pictures import noise
from PIL import Image

from genviz.analysis import examples, settings
from genviz.analysis.contributions import contributions as measure
from genviz.analysis.contributions_table import contributions
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.images.pictures import read_upright, resize
from genviz.training import build

WORDS = ["classifier=small", "classifier.input_size=64", "trainer.accelerator=cpu"]


@pytest.fixture
def run(compose):
    def made(*words):
        config = compose("target=class:window-screen", *WORDS, *words, name="contributions")
        settings.ContributionsSettings.check(config)
        return contributions(config)

    return made


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        noise((40, 30), 30 + 40 * number, number).convert("RGB").save(tmp_path / f"photos/{number}.png")
    return tmp_path / "photos"


def rows(folder):
    with (folder / "contributions.csv").open() as file:
        return [(int(row["filter"]), float(row["contribution"]), float(row["share"])) for row in csv.DictReader(file)]


def test_the_table_is_what_the_pictures_of_the_folder_say(run, folder, tmp_path, capsys):
    assert run("layer=relu5_1", f"pictures={folder}", "top=4") == 0
    place = tmp_path / "outputs/contributions/small/class-window-screen/relu5_1"
    table = rows(place)
    images = torch.cat([resize(read_upright(path), (64, 64)) for path in sorted(folder.glob("*.png"))])
    found = measure(SmallClassifier(input_size=64), 904, "relu5_1", images)
    assert [filter_ for filter_, _, _ in table] == found.ranked()
    assert [value for _, value, _ in table] == pytest.approx(found.values[found.ranked()].tolist(), rel=1e-4, abs=1e-6)
    assert sum(share for _, _, share in table if share > 0) == pytest.approx(1, abs=1e-3)
    printed = capsys.readouterr().out
    lines = printed.partition("share\n")[2].splitlines()
    assert [int(line.split()[0]) for line in lines[:4]] == found.ranked()[:4]
    assert lines[4] == ""
    assert Image.open(place / "sheet.png").width > 150


def test_without_a_folder_pictures_are_drawn_once(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(examples, "_UPDATES", 3)
    assert run("method=integrated_gradients") == 0
    assert run() == 0  # of the usual layer
    place = tmp_path / "outputs/contributions/small/class-window-screen/relu5_2"
    assert len(rows(place)) == 320
    assert capsys.readouterr().out.count("generating 4 pictures") == 1


def test_pictures_of_an_earlier_table_are_deleted(run, folder, tmp_path):
    place = tmp_path / "outputs/contributions/small/class-window-screen/relu5_1/pictures"
    for count in (3, 2):
        assert run("layer=relu5_1", f"pictures={folder}", f"count={count}") == 0
        assert sorted(path.name for path in place.iterdir()) == [f"{number:03}.png" for number in range(count)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["layer=relu8"], "relu8 has no filters that contribute to a class"),
        (["layer=3"], "layer=3 must be a layer"),
        (["layer=relu9"], "no layer is called 'relu9'"),
        (["method=shapley"], "method=shapley is unknown"),
        (["top=0"], "top=0 must be a whole number"),
        (["count=0"], "count=0 must be a whole number"),
        (["pictures=/nowhere"], "pictures=/nowhere: there is no such folder"),
        (["target=class:zebra+tiger"], "give a single class"),
    ],
)
def test_what_cannot_work_is_one_line_before_any_weights_are_loaded(run, monkeypatch, tmp_path, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    with pytest.raises(UserError, match=says):
        run(*words)
    assert not (tmp_path / "outputs").exists()
