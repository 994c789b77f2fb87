import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import template_network
from conftest import ROOT
from PIL import Image
from user import SECONDS, environment

from genviz.retrieval import strongest
from genviz.training import build

TRAINED = ["generator=fourier", "updates=2", "logger=none"]


@pytest.fixture
def photos(tmp_path):
    root = template_network.folder(tmp_path / "photos")
    (root / "broken.png").write_bytes(b"nothing")
    return root


@pytest.fixture
def run(called, photos):
    def made(*words):
        return called("patches", "data=photos", *template_network.WORDS, *TRAINED, *words)

    return made


def rows(folder):
    with (folder / "patches.csv").open() as file:
        return list(csv.DictReader(file))


def place(tmp_path, layer):
    return tmp_path / "outputs/patches/module-random" / layer


def test_the_nine_of_each_filter_of_each_layer_and_its_generated_picture(run, tmp_path):
    done = run("layer=1,2", "filters=0,2-3")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("broken.png cannot be decoded") == 1
    for layer in ("1", "2"):
        table = rows(place(tmp_path, layer))
        assert list(dict.fromkeys(row["filter"] for row in table)) == ["0", "2", "3"]
        assert [row["picture"] for row in table[:9]] == [name for name, _ in template_network.ranked()]
        assert Image.open(place(tmp_path, layer) / "sheet.png").width == 12 + 4 * 256
        for number in (0, 2, 3):
            (made,) = (tmp_path / "outputs").rglob(f"filter-{layer}-{number}/final.png")
            assert made.parts[-3] == "fourier"
    before = (place(tmp_path, "1") / "sheet.png").read_bytes()
    again = run("layer=1", "filters=[0,2,3]")
    assert (place(tmp_path, "1") / "sheet.png").read_bytes() == before
    assert again.returncode == 0


def test_the_generated_picture_is_that_of_a_training(run, called, tmp_path):
    assert run("layer=1", "filters=0").returncode == 0
    (made,) = (tmp_path / "outputs").rglob("filter-1-0/final.png")
    alone = called("train", "target=filter:1:0", *template_network.WORDS, *TRAINED)
    assert "filter:1:0 is done" in alone.stdout
    again = called("train", "target=filter:1:0", "paths.outputs=o", "paths.checkpoints=c", *template_network.WORDS,
                   *TRAINED)  # fmt: skip
    assert again.returncode == 0
    assert next((tmp_path / "o").rglob("final.png")).read_bytes() == made.read_bytes()


def test_filters_by_a_class_and_all_of_them(run, tmp_path):
    done = run("layer=1", "filters=top2:first", "pictures=photos", "generate=false")
    assert done.returncode == 0, done.stderr
    chosen = done.stdout.partition("is filter:1:")[2].partition(",")[0].split("+")
    assert list(dict.fromkeys(row["filter"] for row in rows(place(tmp_path, "1")))) == chosen
    done = run("layer=1", "filters=all", "generate=false")
    assert "1: 5 filters, of which 1 fire in none of the pictures" in done.stdout
    assert Image.open(place(tmp_path, "1") / "sheet.png").width == 12 + 3 * 256


def test_no_picture_is_there_twice_for_a_filter(run, tmp_path):
    assert run("layer=0,1", "filters=all", "generate=false").returncode == 0
    for layer in ("0", "1"):
        found = [(row["filter"], row["picture"]) for row in rows(place(tmp_path, layer))]
        assert len(set(found)) == len(found) > 9


def test_nor_is_a_copy_of_it(run, photos, tmp_path):
    assert run("layer=1", "filters=0", "generate=false").returncode == 0
    before = rows(place(tmp_path, "1"))
    for name in ("a/01", "b/10"):
        shutil.copy(photos / f"{name}.png", photos / f"{name} copy.png")
    done = run("layer=1", "filters=0", "generate=false")
    assert "left out: 2 copies of other pictures\n" in done.stderr
    names = [row["picture"].replace(" copy", "") for row in rows(place(tmp_path, "1"))]
    assert names == [row["picture"] for row in before]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["filters=0"], "say which layer, such as layer=relu4_3"),
        (["layer=1"], "say which filters, such as filters=3,7"),
        (["layer=9", "filters=0"], "no layer is called '9'"),
        (["layer=1,9", "filters=0"], "no layer is called '9'"),
        (["layer=1", "filters=5"], "1 has 5 channels, numbered 0 to 4, but no channel 5"),
        (["layer=1", "filters=0-5"], "there are 5 filters, numbered 0 to 4"),
        (["layer=1", "filters=many"], "'many' is not a filter of 1"),
        (["layer=1", "filters=0,"], "filters=0, must be one or several"),
        (["layer=1", "filters=0+1"], "filters=0+1: name single filters"),
        (["layer=1", "filters=true"], "filters=True must be one or several"),
        (["layer=1", "filters=1.5"], "'1.5' is not a filter of 1"),
        (["layer=1", "filters=top9:first"], "1 has 5 filters, not 9 to choose from"),
        (["layer=1", "filters=top2:third"], "no class is called 'third'"),
        (["layer=1", "filters=top"], "does not say how many filters"),
        (["layer=1", "filters=0", "data=nowhere"], "data=nowhere: there is no such folder"),
        (["layer=1", "filters=0", "data=empty"], "data=empty: no picture in it"),
        (["layer=1", "filters=0", "target=class:1"], "target=class:1: the targets are the filters"),
        (["layer=1", "filters=0", "targets=class:all"], "targets=class:all: the targets are the filters"),
        (["layer=1", "filters=0", "images=2"], "images=2: one picture is generated of each target"),
        (["layer=1", "filters=0", "experiment=mahendran2016_figure7"], "is a figure of several pictures"),
        (["layer=1", "filters=0", "generate=maybe"], "generate=maybe must be true or false"),
        (["layer=1", "filters=0", "updates=0"], "updates=0 must be a whole number"),
    ],
)
def test_what_cannot_work_is_one_line_before_any_weights_are_loaded(run, monkeypatch, tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    done = run(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert says in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_folder_of_what_is_no_picture_is_one_line(run, photos):
    for path in photos.rglob("*.png"):
        path.write_bytes(b"nothing")
    done = run("layer=1", "filters=0")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "none of its 14 pictures can be decoded" in done.stderr


@pytest.mark.campaign
def test_killed_and_started_again_it_writes_the_same_bytes(photos, tmp_path):
    """SIGKILL in the middle of the pass, three times."""
    for number in range(60):
        template_network.picture(photos / f"c/{number}.png", ((number % 32, number * 7 % 32), 0.3 + number / 100))
    code = """
import sys, time
from genviz.commands.main import main
from genviz.retrieval import strongest
own = strongest.stream
def slow(*of):
    for some in own(*of):
        time.sleep(PAUSE)
        yield some
strongest.stream, strongest._KEEP_EVERY, strongest._AT_ONCE = slow, 0.0, 4
main("patches", called="genviz patches")
"""

    def words(outputs, pause):
        own = [f"data={photos}", "layer=1,2", "filters=0-3", "generate=false", f"paths.outputs={tmp_path / outputs}"]
        start = [sys.executable, "-c", code.replace("PAUSE", str(pause))]
        return [*start, *own, *template_network.WORDS, "logger=none"]

    env = environment(PYTHONPATH=os.pathsep.join((str(ROOT), str(ROOT / "tests"))))
    whole = subprocess.run(words("whole", 0), env=env, cwd=tmp_path, capture_output=True, timeout=SECONDS)
    assert whole.returncode == 0, whole.stderr
    for kill in range(3):
        process = subprocess.Popen(words("killed", 0.3), env=env, cwd=tmp_path, stderr=subprocess.DEVNULL)
        kept = tmp_path / "killed/seen"
        before = {path: path.stat().st_mtime_ns for path in kept.glob("*.safetensors")}
        until = time.monotonic() + SECONDS
        while {path: path.stat().st_mtime_ns for path in kept.glob("*.safetensors")} == before:
            assert process.poll() is None, f"it ended before kill {kill}"
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "killed/patches").exists()
    again = subprocess.run(words("killed", 0), env=env, cwd=tmp_path, capture_output=True, timeout=SECONDS)
    assert again.returncode == 0, again.stderr
    for folder in ("patches", "seen"):  # and nothing else is left there
        made = [
            {path.relative_to(tmp_path / root): path.read_bytes() for path in (tmp_path / root / folder).rglob("*.*")}
            for root in ("whole", "killed")
        ]
        assert made[0] == made[1]
        assert made[0]


def test_the_pass_is_not_made_again(run, monkeypatch):
    assert run("layer=1", "filters=0", "generate=false").returncode == 0
    monkeypatch.setattr(strongest, "stream", lambda paths, *of: iter(()) if not paths else pytest.fail("looked again"))
    assert run("layer=1", "filters=1-3", "generate=false").returncode == 0
