import json
import re

import pytest
from noisy_pictures import noise
from PIL import Image

from genviz.analysis import class_report as module
from genviz.analysis import examples, settings
from genviz.analysis.class_report import bias
from genviz.errors import UserError
from genviz.training import build

WORDS = ["classifier=small", "classifier.input_size=64", "trainer.accelerator=cpu", "logger=none", "updates=2",
         "generator=fourier", "filters=2", "neighbours=3"]  # fmt: skip


@pytest.fixture
def run(compose):
    def made(*words):
        config = compose("target=class:window-screen", *WORDS, *words, name="bias")
        settings.BiasSettings.check(config)
        return bias(config)

    return made


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(4):
        noise((40, 30), 30 + 40 * number, number).convert("RGB").save(tmp_path / f"photos/<b>&{number}.png")
    (tmp_path / "photos/broken.jpg").write_bytes(b"nothing")
    return tmp_path / "photos"


def test_a_report_is_a_page_its_pictures_its_numbers_and_a_sheet(run, folder, tmp_path, capsys):
    assert run(f"pictures={folder}", "layer=relu4_1") == 0
    place = tmp_path / "outputs/bias/small/fourier/class-window-screen"
    facts = json.loads((place / "report.json").read_text())
    page = (place / "report.html").read_text()
    shown = re.findall('src="([^"]+)"', page)
    assert len(shown) == 1 + 2 + 3 + 4
    assert all((place / name).exists() for name in shown)
    assert "<b>&0.png" not in page
    assert "&lt;b&gt;&amp;0.png" in page
    assert facts["folder"]["damaged"] == ["broken.jpg"]
    assert [entry["similarity"] for entry in facts["folder"]["nearest"]] == sorted(
        (entry["similarity"] for entry in facts["folder"]["nearest"]), reverse=True
    )
    for entry in facts["filters"]:
        assert (tmp_path / f"outputs/small/fourier/filter-relu4_1-{entry['filter']}/final.png").exists()
    result = json.loads((tmp_path / "outputs/small/fourier/class-window-screen/result.json").read_text())
    assert facts["picture"]["rank"] == result["rank"]
    assert facts["picture"]["score"] == pytest.approx(result["activation"], rel=1e-4)
    assert Image.open(place / "sheet.png").width > 192
    assert "the 3 nearest of 4 pictures, which the network classifies as" in capsys.readouterr().out
    run(f"pictures={folder}", "layer=relu4_1")
    assert capsys.readouterr().out.count(" is done, 2 updates") == 3  # and not done again


def test_without_pictures_it_says_so(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(examples, "_UPDATES", 3)
    assert run("filters=0") == 0
    place = tmp_path / "outputs/bias/small/fourier/class-window-screen"
    assert json.loads((place / "report.json").read_text())["folder"] is None
    assert "no folder was given" in (place / "report.html").read_text()
    assert "no real pictures to compare with: give some with pictures=FOLDER" in capsys.readouterr().out


def test_an_interrupted_training_ends_the_report(run, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "train", lambda config, target: 143)
    assert run() == 143
    assert not (tmp_path / "outputs/bias").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["target=filter:relu5_1:3"], "give a single class"),
        (["target=class:zebar"], "no class is called 'zebar'"),
        (["layer=fc8"], "fc8 has no filters that contribute to a class"),
        (["features=relu9"], "no layer is called 'relu9'"),
        (["filters=321"], "filters=321: relu5_2 has only 320"),
        (["neighbours=0"], "neighbours=0 must be a whole number"),
        (["images=2"], "the report takes one picture"),
        (["pictures=/nowhere"], "pictures=/nowhere: there is no such folder"),
        (["updates=0"], "updates=0 must be a whole number"),
    ],
)
def test_what_cannot_work_is_one_line_before_anything_is_made(run, monkeypatch, tmp_path, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    with pytest.raises(UserError, match=says):
        run(*words)
    assert not (tmp_path / "outputs").exists()
