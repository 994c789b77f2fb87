import csv
import json
import shutil

import pytest
from drawn_blocks import blocks, cropped_and_turned
from PIL import Image

from genviz.errors import UserError
from genviz.matching.settings import TraceSettings
from genviz.matching.trace import trace
from genviz.training import build

WORDS = ["classifier=small", "classifier.input_size=32", "trainer.accelerator=cpu", "logger=none"]
WORDS += ["size=64", "noise=2", "words.count=20"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cats/below").mkdir(parents=True)
    (tmp_path / "dogs").mkdir()
    (tmp_path / "made").mkdir()
    for number in range(4):
        Image.fromarray(blocks(number)).save(tmp_path / f"cats/{'below/' * (number > 2)}{number}.png")
        if number:
            Image.fromarray(blocks(10 + number)).save(tmp_path / f"dogs/{number}.png")
    Image.fromarray(cropped_and_turned(blocks(1))).save(tmp_path / "made/a.png")
    Image.fromarray(cropped_and_turned(blocks(1), 0.9, -3)).save(tmp_path / "made/b.png")
    return tmp_path


@pytest.fixture
def run(compose, folder):
    def made(*words):
        config = compose(*WORDS, *(word.format(folder=folder) for word in words), name="trace")
        TraceSettings.check(config)
        return trace(config)

    return made


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_cropped_and_turned_picture_is_found_by_each_method(run, folder, tmp_path, capsys):
    (folder / "cats/broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (50, 50), "white").save(folder / "cats/white.png")
    methods = ["harris", "sift", "words", "features"]
    words = ("image={folder}/made/a.png", "pictures={folder}/cats", "baseline={folder}/dogs", "bars=3")
    assert run(*words, f"method=[{','.join(methods)}]") == 0
    place = tmp_path / "outputs/trace/a"
    rows = table(place / "contributions.csv")
    assert list(rows[0]) == ["method", "picture", "runs", "mean", "sd"]
    for method in methods:
        own = [row for row in rows if row["method"] == method]
        assert own[0]["picture"] == "1.png", method
        assert {row["picture"] for row in own} >= {"0.png", "1.png", "2.png", "below/3.png"}
        assert [float(row["mean"]) for row in own] == sorted((float(row["mean"]) for row in own), reverse=True)
        assert Image.open(place / f"bars-{method}.png").width > 500
    for method in ("harris", "sift"):
        assert sum(float(row["mean"]) for row in rows if row["method"] == method) == pytest.approx(1, abs=1e-4)
        assert Image.open(place / f"matches-{method}.png").width > 500
    for method in ("words", "features"):
        (row,) = table(place / f"{method}.csv")
        assert (row["image"], row["picture"]) == ("a", "1.png")
    facts = json.loads((place / "trace.json").read_text())["methods"]
    assert facts["sift"]["levels"].keys() == {"other pictures", "their noise"}
    assert facts["sift"]["p_arbitrary_pictures"] is None
    assert facts["sift"]["p_noise"] == pytest.approx(1 / 3)
    said = capsys.readouterr()
    assert said.err.count("broken.jpg cannot be decoded") == 1
    assert "left out by harris: white.png: too few corners" in said.err
    assert "left out by sift: white.png: too few key points" in said.err
    assert "the highest, 1.png, contributes" in said.out
    assert "p = 0.33, more than all noise, but 2 are too few to tell; noise=19 is enough" in said.out


def test_several_pictures_have_a_mean_and_a_deviation(run, folder, tmp_path, capsys):
    assert run("image={folder}/made", "pictures={folder}/cats", "method=harris", "noise=0", "bars=2") == 0
    rows = table(tmp_path / "outputs/trace/made/contributions.csv")
    assert (rows[0]["picture"], rows[0]["runs"]) == ("1.png", "2")
    assert float(rows[0]["sd"]) > 0
    facts = json.loads((tmp_path / "outputs/trace/made/trace.json").read_text())["methods"]["harris"]
    assert facts["p_noise"] is None
    assert facts["levels"] == {}
    assert "p-values" in capsys.readouterr().out
    assert run("image=[{folder}/made/a.png,{folder}/made/b.png]", "pictures={folder}/cats", "noise=0") == 0
    assert (tmp_path / "outputs/trace/a+1/matches-sift.png").exists()
    assert not (tmp_path / "outputs/trace/a+1/matches-harris.png").exists()


def test_pictures_of_one_name_have_a_folder_each_and_nothing_of_an_earlier_method_stays(run, folder, tmp_path):
    (tmp_path / "more").mkdir()
    Image.fromarray(cropped_and_turned(blocks(2))).save(tmp_path / "more/a.png")
    words = ["pictures={folder}/cats", "noise=0", "bars=2"]
    assert run("image={folder}/made/a.png", *words, "method=words,features") == 0
    assert run("image={folder}/more/a.png", *words, "method=sift") == 0
    place = tmp_path / "outputs/trace"
    assert {path.name for path in place.glob("*/*.csv")} == {"contributions.csv", "words.csv", "features.csv"}
    assert table(place / "a/words.csv")[0]["picture"] == "1.png"
    assert table(place / "a-2/contributions.csv")[0]["picture"] == "2.png"
    assert run("image={folder}/made/a.png", *words, "method=sift") == 0
    assert {path.name for path in (place / "a").iterdir()} == {
        "source.txt", "contributions.csv", "trace.json", "bars-sift.png", "matches-sift.png",
    }  # fmt: skip
    assert run("image=[{folder}/made/a.png,{folder}/made/b.png]", *words) == 0
    assert (place / "a+1/source.txt").read_text() == f"{folder}/made/a.png\n{folder}/made/b.png\n"


@pytest.mark.parametrize("method", ["sift", "features"])
def test_a_copy_is_not_compared(run, folder, tmp_path, capsys, method):
    words = ["image={folder}/made/a.png", "pictures={folder}/cats", "noise=0", f"method={method}"]
    assert run(*words) == 0
    before = (tmp_path / "outputs/trace/a/contributions.csv").read_bytes()
    shutil.copy(folder / "cats/0.png", folder / "cats/0 later.png")
    shutil.copy(folder / "cats/1.png", folder / "cats/below/copy.png")
    (folder / "cats/0.png").rename(folder / "cats/0 .png")
    assert run(*words) == 0
    assert capsys.readouterr().err.count("left out: 2 copies of other pictures") == 1
    after = (tmp_path / "outputs/trace/a/contributions.csv").read_bytes()
    assert after.replace(b"0 .png", b"0.png") == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pictures={folder}/cats"], "say which picture to trace: image=FILE"),
        (["image={folder}/made"], "say what it may come from: pictures=FOLDER"),
        (["image=/nowhere.png", "pictures={folder}/cats"], "cannot read the picture /nowhere.png"),
        (["image={folder}/made", "pictures=/nowhere"], "pictures=/nowhere: there is no such folder"),
        (["image={folder}/made", "pictures={folder}/empty"], "no picture in it"),
        (["image={folder}/made", "pictures={folder}/cats", "baseline=/nowhere"], "baseline=/nowhere: there is no"),
        (["image={folder}/made", "pictures={folder}/cats", "method=surf"], "method=surf is unknown; choose harris"),
        (["image={folder}/made", "pictures={folder}/cats", "method=\"\""], "method= must be harris, sift"),
        (["image={folder}/made", "pictures={folder}/cats", "size=8"], "size=8 must be a whole number from 32"),
        (["image={folder}/made", "pictures={folder}/cats", "sift.residual=0"], "sift.residual=0 must be a number"),
        (["image={folder}/made", "pictures={folder}/cats", "words.standardize=1"], "must be true, false or words"),
        (["image={folder}/made", "pictures={folder}/cats", "target=class:zebra"], "target= and targets= are not used"),
        (["image={folder}/made", "pictures={folder}/cats", "method=features", "layer=relu9"], "no layer is called"),
        (["image={folder}/made", "pictures={folder}/damaged"], "none of the 2 pictures can be decoded"),
        (["image={folder}/damaged", "pictures={folder}/cats"], "none of the 2 images can be decoded"),
        (["image={folder}/made", "pictures={folder}/one"], "only 1 picture can be decoded; give two or more"),
        (["image={folder}/one/white.png", "pictures={folder}/cats"], "method=sift: white has too little to match"),
        (["image={folder}/made", "pictures={folder}/whites"], "only 0 of the 2 training pictures can be matched"),
        (["image={folder}/made", "pictures={folder}/cats", "words.count=9999", "method=words"],
         r"words.count=9999: the pictures have \d+ different SIFT descriptors, fewer than 9999 words"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line(run, monkeypatch, folder, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    for name, kind in (("damaged", "bytes"), ("whites", "white"), ("one", "white"), ("empty", "")):
        (folder / name).mkdir()
        for file in ("white.png", "other.png")[: 1 if name == "one" else 2]:
            if kind == "bytes":
                (folder / name / file).write_bytes(file.encode())
            elif kind:
                Image.new("RGB", (40, 40 + (file == "white.png")), "white").save(folder / name / file)
    with pytest.raises(UserError, match=says) as caught:
        run(*words)
    assert "\n" not in str(caught.value)


def test_a_method_that_fails_costs_no_other_its_tables(run, folder, tmp_path, capsys):
    words = ("image={folder}/made/a.png", "pictures={folder}/cats")
    with pytest.raises(UserError, match="words.count=100000"):
        run(*words, "method=words,sift", "words.count=100000")
    place = tmp_path / "outputs/trace/a"
    assert {row["method"] for row in table(place / "contributions.csv")} == {"sift"}
    assert list(json.loads((place / "trace.json").read_text())["methods"]) == ["sift"]
    assert "sift: 1 of 4 pictures" in capsys.readouterr().out
    with pytest.raises(UserError, match="words.count=100000"):
        run(*words, "method=words", "words.count=100000")
    assert not list(place.glob("*.csv"))  # those of the earlier call
    assert not (place / "trace.json").exists()
