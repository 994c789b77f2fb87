import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image
from safetensors.torch import save_file
from tiny_detectors import build as build_detector
from tiny_detectors import loud

from genviz.adversarial.stickers.settings import StickerSettings
from genviz.adversarial.stickers.sticker import _placing, _planned, sticker
from genviz.errors import UserError
from genviz.images.decoding import decode
from genviz.training import build
from genviz.training.loading import load_classifier

WORDS = [
    "target=class:zebra",
    "classifier=small",
    "classifier.input_size=32",
    "trainer.accelerator=cpu",
    "logger=none",
    "updates=6",
    "lr_end=1",
    "checkpoint_every=2",
    "generator.size=24",
    "transform.placed.views=4",
    "area=0.2",
    "areas=[0.1,0.4]",
    "dpi=20",
]
PLACE = "outputs/small/patch-brown2017/class-zebra"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC).save(tmp_path / f"photos/{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def run(compose, folder):
    def made(*words):
        config = compose(f"data={folder}", *WORDS, *words, name="sticker")
        StickerSettings.check(config)
        return sticker(config)

    return made


def rows(folder):
    with (folder / "success.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_sticker_is_made_printed_and_measured(run, folder, tmp_path, capsys):
    words = [f"photo={folder}/0.png", "other=small", "other.input_size=40"]
    assert run(*words) == 0
    place = tmp_path / PLACE
    table = rows(place)
    assert [(row["network"], row["pasted"], row["area"]) for row in table] == [
        (network, thing, area)
        for thing in ("sticker", "photograph")
        for area in ("0.1", "0.4")
        for network in ("small", "small (other)")
    ]
    assert all(int(row["pictures"]) <= 4 and float(row["low"]) <= float(row["success"]) for row in table)
    with Image.open(place / "sticker.png") as image:
        assert (image.mode, image.size) == ("RGBA", (79, 79))  # 10 cm
        assert image.getpixel((0, 0))[3] == 0
    assert len(list((place / "examples").glob("*.png"))) == 3 * 4
    assert Image.open(place / "sheet.png").width > 100
    assert Image.open(place / "success.png").width > 500
    said = capsys.readouterr().out
    assert "pasted into 4 held-out pictures" in said
    assert "how often a network sees zebra" in said
    assert "10 cm wide at 20 dpi" in said


@pytest.mark.slow
def test_again_it_is_not_trained_but_measured_and_longer_it_goes_on_where_it_was(run, tmp_path, capsys):
    assert run("updates=2") == 0
    first = (tmp_path / PLACE / "final.png").read_bytes()
    assert run("updates=2", "areas=[0.3]") == 0
    assert "is done, 2 updates" in capsys.readouterr().out
    assert [row["area"] for row in rows(tmp_path / PLACE)] == ["0.3"]
    assert (tmp_path / PLACE / "final.png").read_bytes() == first
    assert run() == 0
    assert "continuing after update 2 of 6" in capsys.readouterr().out
    assert run("tag=whole") == 0
    whole = tmp_path / PLACE.replace("brown2017", "brown2017-whole")
    for name in ("final.png", "sticker.png"):
        assert np.array_equal(Image.open(tmp_path / PLACE / name), Image.open(whole / name))
    assert (tmp_path / PLACE / "success.csv").read_bytes() == (whole / "success.csv").read_bytes()


def test_away_from_a_class_it_is_measured_beside_a_grey_one(run, folder, tmp_path, capsys):
    classifier = load_classifier("small", input_size=32)
    pictures = decode([folder / f"{number}.png" for number in (1, 3, 5, 7)], (32, 32)).pixels / 255
    named = classifier(pictures, ["scores"])["scores"].argmax(1)
    number = int(named[0])
    assert run(f"target=class:{number}@-1", "areas=[0.025,0.4]") == 0
    count = int((named == number).sum())
    said = capsys.readouterr().out
    assert f"how often a network no longer sees {classifier.outline.labels[number]}" in said
    assert f"sees it in {count} of them without a sticker; of these:" in said
    assert "\n    2.5%  " in said
    (table,) = tmp_path.glob("outputs/**/success.csv")
    assert [row["pasted"] for row in rows(table.parent)] == ["sticker"] * 2 + ["grey"] * 2
    assert {row["pictures"] for row in rows(table.parent)} == {str(count)}


def test_a_patch_for_a_detector(run, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("genviz.adversarial.stickers.sheet.seen", lambda *_: pytest.fail("its boxes are all it takes"))
    network = loud(build_detector("ssd"))
    save_file(network.state_dict(), tmp_path / "ssd.safetensors")
    (tmp_path / "labels.txt").write_text("background\ncircle\nsquare\ntriangle\n")
    words = [
        "classifier=detector",
        "classifier.builder=tiny_detectors:build",
        f"classifier.weights={tmp_path}/ssd.safetensors",
        f"classifier.labels={tmp_path}/labels.txt",
        "target=class:circle@-1",
        "transform.placed.place=corner",
        "generator.shape=square",
    ]
    assert run(*words) == 0
    said = capsys.readouterr().out
    assert "in the upper left corner; how often a network no longer sees circle" in said
    (place,) = (table.parent for table in tmp_path.glob("outputs/**/success.csv"))
    assert {row["pasted"] for row in rows(place)} == {"sticker", "grey"}
    assert len(list((place / "examples").glob("*-sticker-boxes.png"))) == 4
    assert Image.open(place / "sheet.png").width > 100


def test_a_copy_of_a_picture_is_in_neither_half(compose, folder, capsys):
    for number in range(8):
        shutil.copy(folder / f"{number}.png", folder / f"{number} copy.png")
    config = compose(f"data={folder}", *WORDS, name="sticker")
    plan = _planned(config)
    assert [path.name for path in plan.held_out] == [f"{number} copy.png" for number in (1, 3, 5, 7)]
    assert capsys.readouterr().err == "left out: 8 copies of other pictures\n"
    scenes = build.make(config.transform.placed, "transform.placed", size=(32, 32)).scenes
    assert torch.equal(scenes, decode([folder / f"{number}.png" for number in (0, 2, 4, 6)], (32, 32)).pixels)


@pytest.mark.slow
def test_other_pictures_are_another_sticker(run, folder, tmp_path):
    assert run() == 0
    Image.new("RGB", (10, 10)).save(folder / "9.png")
    with pytest.raises(UserError, match=r"transform.placed.pictures"):
        run()


_PLACED = [
    (["transform.placed.sizes=1.2"], "sizes=1.2 must be two factors from 0.001 up"),
    (["transform.placed.sizes=[1,a]"], r"sizes=\[1, 'a'\] must be two factors"),
    (["transform.placed.size=32"], "size=32 must be rows and columns"),
    (["transform.placed.size=[0,8]"], r"size=\[0, 8\] must be rows and columns"),
    (["transform.placed.size=null"], "size=None must be rows and columns"),
    (["transform.placed.rotate=far"], "rotate=far must be a number, 0 or more"),
    (["transform.placed.shape=star"], "shape=star is unknown; it takes circle, square"),
]


@pytest.mark.parametrize(("words", "says"), _PLACED[:1])
def test_what_cannot_be_placed_is_one_line(run, monkeypatch, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    with pytest.raises(UserError, match=says):
        run(*words)


def test_a_setting_that_is_left_out_is_the_usual_one(compose, folder):
    words = ["~transform.placed.sizes", "~transform.placed.rotate", "~transform.placed.light"]
    config = compose(f"data={folder}", *WORDS, *words, name="sticker")
    assert _planned(config).size == (32, 32)
    assert _placing(config)["sizes"] == (1.0, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["~target"], "say which class the network should see, such as target=class:toaster"),
        (["target=class:zebr"], "no class is called 'zebr'"),
        (["target=layer:relu3_1"], "target=layer:relu3_1: a sticker is of one class"),
        (["target=class:zebra+tiger"], "a sticker is of one class"),
        (["target=class:zebra@-1", "photo={single}/a.png"], "leave it out; a sticker away from a class"),
        (["targets=class:all"], "targets=class:all: a sticker is of one class"),
        (["area=0"], "area=0 must be a share of the picture, above 0 and at most 1"),
        (["area=1.5"], "area=1.5 must be a share"),
        (["area=big"], "area=big must be a share"),
        (["area=0.9"], "larger than a picture of 32 x 32 pixels"),
        (["areas=[0.1,0.9]"], "a circle of 0.9 of the area is larger"),
        (["areas=[]"], "areas="),
        (["areas=0.1"], "areas=0.1 must be a list of shares"),
        (["areas=[0.1,2]"], "must be a list of shares"),
        (["data=/nowhere"], "data=/nowhere: there is no such folder"),
        (["data={empty}"], "no picture in it or its subfolders"),
        (["data={single}"], "there is a single picture, and half of them are held out"),
        (["photo=/nowhere/x.jpg"], r"cannot read the picture /nowhere/x.jpg \(there is no such file\)"),
        (["other=auto"], "other=auto depends on the machine"),
        (["other=small", "other.labels={labels}"], "other: no class is called 'zebra'"),
        (["print_size=0"], "print_size=0 must be a width in cm"),
        (["print_size=200", "dpi=2400"], "188976 pixels a side; 8 to 8192 work"),
        (["dpi=0.5"], "dpi=0.5 must be a whole number"),
        (["tried=0"], "tried=0 must be a whole number"),
        (["images=2"], "images=2: one picture is generated"),
        (["generator=fourier"], "generator=fourier makes no sticker; generator=patch does"),
        (["transform.placed.shape=square"], "shape=square must be that of generator.shape=circle"),
        (["transform=flip"], "a sticker is pasted by transform=placed"),
        *_PLACED[1:],
    ],
)
def test_what_cannot_work_is_one_line_before_any_weights_are_loaded(run, monkeypatch, folder, tmp_path, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "single").mkdir()
    Image.new("RGB", (10, 10)).save(tmp_path / "single/a.png")
    (tmp_path / "labels.txt").write_text("\n".join(f"thing {number}" for number in range(1000)))
    places = {"empty": tmp_path / "empty", "single": tmp_path / "single", "labels": tmp_path / "labels.txt"}
    with pytest.raises(UserError, match=says) as caught:
        run(*(word.format(**places) for word in words))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_killed_and_run_again_it_is_the_same_sticker(run, folder, tmp_path, capsys):
    assert run("tag=whole") == 0
    code = f"""
import sys, time
from genviz.training.callbacks.monitor import Monitor
Monitor.on_train_batch_start = lambda self, trainer, *given: time.sleep(0.5 * (trainer.global_step >= 3))
sys.argv = {["genviz", "sticker", f"data={folder}", *WORDS]!r}
from genviz.commands.main import main
main()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    deadline, metrics = time.monotonic() + 300, tmp_path / PLACE / "metrics.csv"
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) > 3:
            break
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    capsys.readouterr()
    assert run() == 0
    assert "continuing after update" in capsys.readouterr().out
    whole = tmp_path / PLACE.replace("brown2017", "brown2017-whole")
    for name in ("final.png", "sticker.png", "sheet.png"):
        assert np.array_equal(Image.open(tmp_path / PLACE / name), Image.open(whole / name))
    assert (tmp_path / PLACE / "success.csv").read_bytes() == (whole / "success.csv").read_bytes()
