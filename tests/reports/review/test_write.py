import csv
import os
import shutil

import pytest
from made_up import data_of, make_run
from PIL import Image

import genviz.images.sheet
from genviz.errors import UserError
from genviz.reports.review import write_review


def test_a_review_is_a_page_sheets_and_a_table(tmp_path):
    for setting in ("embedded/one", "embedded/two"):
        for number in range(3):
            make_run(tmp_path, f"filter:relu1:{number}", setting=setting)
    assert write_review(tmp_path) == tmp_path / "index.html"
    for setting in ("one", "two"):
        assert (tmp_path / "embedded" / setting / "sheet-1.png").exists()
    rows = list(csv.DictReader((tmp_path / "index.csv").open(encoding="utf-8")))
    assert len(rows) == 6
    assert rows[1] == {
        "target": "filter:relu1:0",
        "setting": "embedded/two",
        "verdict": "recognised",
        "rank": "1",
        "activation": "12.5",
        "top class": "harmonica",
        "probability": "0.75",
        "updates": "50",
        "seed": "0",
        "weights_sha256": "ab" * 32,
        "seconds_per_update": "0.125",
        "picture": "embedded/two/filter-relu1-0/final.png",
        "explanation": "filter:relu1:0 is at rank 1 of 1000",
    }


@pytest.mark.parametrize("below", ["embedded", "embedded/small", "embedded/small/class-harmonica"])
def test_a_part_of_the_outputs(tmp_path, below):
    make_run(tmp_path)
    page = write_review(tmp_path / below)
    assert page == tmp_path / below / "index.html"
    data = data_of(page)
    assert data["settings"][0]["name"] == "embedded/small"
    run = data["targets"][0]["runs"][0]
    assert (page.parent / run["folder"] / run["picture"]).exists()
    assert not list(tmp_path.glob("*.html"))


def test_only_what_has_changed_is_written_again(tmp_path):
    for number in range(101):
        make_run(tmp_path, f"filter:relu:{number:03d}", bare=True)
    write_review(tmp_path)
    first, second = (tmp_path / f"embedded/small/sheet-{number}.png" for number in (1, 2))
    times = first.stat().st_mtime_ns, second.stat().st_mtime_ns
    write_review(tmp_path)
    assert (first.stat().st_mtime_ns, second.stat().st_mtime_ns) == times
    Image.new("RGB", (12, 12), "blue").save(tmp_path / "embedded/small/filter-relu-100/final.png")
    write_review(tmp_path)
    assert first.stat().st_mtime_ns == times[0]
    assert second.stat().st_mtime_ns != times[1]
    shutil.rmtree(tmp_path / "embedded/small/filter-relu-100")
    write_review(tmp_path)
    assert first.exists()
    assert not second.exists()
    assert len(data_of(tmp_path / "index.html")["targets"]) == 100


def test_real_pictures_stay_until_others_are_given(tmp_path):
    root, photos, others = tmp_path / "outputs", tmp_path / "photos", tmp_path / "others"
    make_run(root, "class:tench")
    make_run(root, "class:zebra")
    for folder in (photos, others):
        folder.mkdir()
    Image.new("RGB", (40, 20)).save(photos / "n01440764_tench.jpg")
    Image.new("RGB", (40, 20)).save(others / "zebra.png")

    def real(pictures):
        targets = data_of(write_review(root, pictures))["targets"]
        return {target["name"]: target["real"] for target in targets if target["real"]}

    assert real(None) == {}
    assert real(photos) == {"class:tench": "real/class-tench.jpg"}
    assert (root / "real" / "class-tench.jpg").exists()
    assert real(None) == {"class:tench": "real/class-tench.jpg"}
    assert real(others) == {"class:zebra": "real/class-zebra.jpg"}
    assert real(root) == {}  # what runs have made, and copies, are not real


def test_a_damaged_real_picture_is_named_on_the_page(tmp_path):
    make_run(tmp_path / "outputs", "class:tench")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "tench.jpg").write_bytes(b"")
    data = data_of(write_review(tmp_path / "outputs", tmp_path / "photos"))
    assert data["left_out"] == "1 unreadable among the real pictures (tench.jpg)"


def test_a_damaged_real_picture_whose_name_is_no_text(tmp_path):
    make_run(tmp_path / "outputs", "class:tench")
    (tmp_path / "photos" / "tench").mkdir(parents=True)
    (tmp_path / "photos" / "tench" / os.fsdecode(b"\xff1.jpg")).write_bytes(b"")
    page = write_review(tmp_path / "outputs", tmp_path / "photos")
    assert "Left out: 1 unreadable among the real pictures (1.jpg)" in page.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    make_run(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(genviz.images.sheet.Image.Image, "save", full)
    with pytest.raises(UserError, match="No space left"):
        write_review(tmp_path)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make_run(tmp_path / "outputs")
    assert genviz.review("~/outputs").page == tmp_path / "outputs" / "index.html"
