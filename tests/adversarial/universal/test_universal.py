import csv
import json
import os
import shutil
import signal

import linear_network
import numpy as np
import pytest
import torch
from PIL import Image

from genviz.adversarial.success import Success
from genviz.adversarial.universal import by_deepfool, by_gradient
from genviz.adversarial.universal.halves import halves
from genviz.training import build

WORDS = ["data=photos", *linear_network.WORDS]
FAST = ["updates=20", "at_once=4", "xi=6/255"]
OTHER = [
    "other=module",
    "other.builder=linear_network:other",
    "other.weights=random",
    "other.input_size=8",
    "other.input_space={mean:[0.5,0.5,0.5],std:[1,1,1]}",
    "other.labels=[first,second,third]",
]


@pytest.fixture
def run(called, tmp_path):
    linear_network.folder(tmp_path / "photos", 12)

    def made(*words):
        return called("universal", *WORDS, *FAST, *words)

    return made


def place(tmp_path, how="gradient-linf-6"):
    return tmp_path / "outputs/universal/module-random" / how


def results(tmp_path, how="gradient-linf-6"):
    return json.loads((place(tmp_path, how) / "results.json").read_text())


def steps_in(path):
    return np.array(Image.open(path)).astype(int) - 128


@pytest.mark.parametrize(
    ("method", "norm", "how"),
    [
        ("gradient", "linf", "gradient-linf-6"),
        ("gradient", "l2", "gradient-l2-6"),
        ("deepfool", "linf", "deepfool-linf-6"),
        ("deepfool", "l2", "deepfool-l2-6"),
    ],
)
def test_what_is_reported_is_what_the_files_do(run, tmp_path, method, norm, how):
    done = run(f"method={method}", f"norm={norm}", "passes=2")
    assert done.returncode == 0, done.stderr
    steps = steps_in(place(tmp_path, how) / "perturbation.png")
    size = np.abs(steps).max() if norm == "linf" else np.sqrt((steps**2).mean())
    assert 0 < size <= 6
    found, network = results(tmp_path, how), linear_network.network()
    fooled = []
    with (place(tmp_path, how) / "fooled.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == [f"{number:02}.png" for number in range(1, 12, 2)]
    for row in rows:
        pixels = np.array(Image.open(tmp_path / "photos" / row["picture"])).astype(int)
        said = []
        for shown in (pixels, (pixels + steps).clip(0, 255)):
            scores = network(torch.tensor(shown / 255 - 0.5, dtype=torch.float32).permute(2, 0, 1)[None])
            said.append(linear_network.LABELS[int(scores.argmax())])
        assert [row["before"], row["after"]] == said
        assert row["fooled"] == str(int(said[0] != said[1]))
        fooled.append(said[0] != said[1])
    own = found["networks"]["module-random"]
    assert (own["fooled"], own["pictures"]) == (sum(fooled), 6)
    assert own["interval_95"] == pytest.approx(Success(sum(fooled), 6).interval)
    assert sum(each["pictures"] for each in found["dominant"]) == sum(fooled)
    assert found["used"]["pictures"] == 6
    assert found["used"]["fooled"] >= 3  # a tenth of the planes' distance would not do
    assert Image.open(place(tmp_path, how) / "shown.png").size == (8, 8)
    assert Image.open(place(tmp_path, how) / "sheet.png").width > 100
    assert f"universal/module-random/{how}/results.json" in done.stdout


def test_the_held_out_half_has_no_part_in_it(run, tmp_path):
    run()
    before = (place(tmp_path) / "perturbation.png").read_bytes()
    for number in range(1, 12, 2):
        Image.new("RGB", (8, 8), (0, 20 * number, 0)).save(tmp_path / f"photos/{number:02}.png")
    assert run("paths.outputs=again", "paths.checkpoints=more").returncode == 0
    again = tmp_path / "again/universal/module-random/gradient-linf-6/perturbation.png"
    assert again.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradient", "deepfool"])
@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal_it_continues_with_the_same_bytes(run, tmp_path, monkeypatch, method, which):
    if signal.getsignal(which) is signal.SIG_IGN:
        pytest.skip("the shell that started the tests in the background lets nobody interrupt them")
    words = [f"method={method}", "passes=2", "fooled=1", "checkpoint_every=50"]
    assert run(*words, "paths.outputs=whole", "paths.checkpoints=w").returncode == 0
    left, of = [4], (by_gradient.Added, "rows") if method == "gradient" else (by_deepfool, "_step")
    own = getattr(*of)

    def ending(*given):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), which)
        return own(*given)

    monkeypatch.setattr(*of, ending)
    done = run(*words)
    assert done.returncode == 128 + which, done.stderr
    assert "the same command continues" in done.stdout
    assert not (place(tmp_path, f"{method}-linf-6") / "results.json").exists()
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "continuing" in done.stdout
    whole = tmp_path / f"whole/universal/module-random/{method}-linf-6"
    for name in ("perturbation.png", "fooled.csv", "shown.png"):
        assert (place(tmp_path, f"{method}-linf-6") / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_done_it_is_not_made_again_and_with_other_settings_not_mixed(run, tmp_path, monkeypatch):
    assert run().returncode == 0
    with monkeypatch.context() as patch:
        patch.setattr(by_gradient, "_couple", lambda *_: pytest.fail("made again"))
        done = run()
        assert done.returncode == 0
        assert "done:" in done.stdout
    done = run("seed=1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "seed was 0 and is 1" in done.stderr
    assert "tag=NAME keeps both" in done.stderr or "tag=NAME to keep both" in done.stderr
    assert run("seed=1", "tag=b").returncode == 0
    assert place(tmp_path, "gradient-linf-6-b").is_dir()
    assert run("seed=1", "resume=false").returncode == 0
    assert place(tmp_path, "gradient-linf-6~1").is_dir()


@pytest.mark.slow
def test_a_file_that_was_changed_is_written_again(run, tmp_path):
    run()
    before = (place(tmp_path) / "perturbation.png").read_bytes()
    (place(tmp_path) / "perturbation.png").write_bytes(b"else")
    assert run().returncode == 0
    assert (place(tmp_path) / "perturbation.png").read_bytes() == before


@pytest.mark.slow
def test_a_damaged_checkpoint_is_one_line(run, tmp_path):
    for method in ("gradient", "deepfool"):
        assert run(f"method={method}", "passes=1").returncode == 0
        (place(tmp_path, f"{method}-linf-6") / "results.json").unlink()
        (checkpoint,) = (tmp_path / "checkpoints").rglob(f"{method}*/last.ckpt")
        checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
        done = run(f"method={method}", "passes=1")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "resume=false" in done.stderr


@pytest.mark.slow
def test_other_networks_are_tried_and_tabled(run, tmp_path):
    assert run(*OTHER, "other.builder=linear_network:other", "other.weights=random").returncode == 2  # the same name
    torch.save(linear_network.other().state_dict(), tmp_path / "second.pth")
    words = [*OTHER, "other.weights=second.pth"]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert list(results(tmp_path)["networks"]) == ["module-random", "module-second"]
    with (place(tmp_path) / "fooled.csv").open() as file:
        assert next(csv.reader(file))[1:3] == ["module-random: before", "module-random: probability before"]
    assert run("method=deepfool", "passes=1").returncode == 0
    with (tmp_path / "outputs/universal/transfer.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [(row["made on"], row["how"], row["module-second"] != "") for row in table] == [
        ("module-random", "deepfool-linf-6", False), ("module-random", "gradient-linf-6", True),
    ]  # fmt: skip


def test_what_cannot_be_decoded_and_what_is_there_twice_is_said(run, tmp_path):
    shutil.copy(tmp_path / "photos/00.png", tmp_path / "photos/copy.png")
    (tmp_path / "photos/broken.png").write_bytes(b"nothing")
    done = run()
    assert "6 pictures are used, 6 held out; left out: 1 damaged, 1 repeated" in done.stdout
    assert results(tmp_path)["damaged"] == ["broken.png"]
    assert len(halves(str(tmp_path / "photos"), (8, 8)).used.names) == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data=nowhere"], "data=nowhere: there is no such folder"),
        (["data=empty"], "data=empty: no picture in it"),
        (["xi=0"], "xi=0 must be a number above 0 and at most 1, or a fraction: 8/255"),
        (["xi=-8/255"], "xi=-8/255 must be a number above 0"),
        (["xi=8/0"], "xi=8/0 must be a number"),
        (["xi=8/255/2"], "must be a number above 0"),
        (["xi=2"], "xi=2 must be a number"),
        (["xi=large"], "xi=large must be a number"),
        (["xi=true"], "xi=True must be a number"),
        (["xi=null"], "xi=null must be a number"),
        (["xi=nan"], "xi=nan must be a number"),
        (["xi=1"], "xi=1 must be from 1/255"),
        (["xi=0.001"], "xi=0.001 must be from 1/255"),
        (["norm=1"], "norm=1 must be linf or l2"),
        (["norm=inf"], "norm=inf must be"),
        (["deepfool.norm=3"], "deepfool.norm=3 must be"),
        (["deepfool.classes=1"], "deepfool.classes=1 must be a whole number from 2 up"),
        (["method=fgsm"], "method=fgsm must be gradient or deepfool"),
        (["fooled=80"], "fooled=80 must be a number from 0 to 1"),
        (["passes=0"], "passes=0 must be a whole number from 1"),
        (["at_once=0"], "at_once=0 must be"),
        (["target=class:1"], "target=class:1: a universal perturbation has no target"),
        (["images=2"], "images=2"),
        (
            ["generator=fourier"],
            "generator=fourier: a universal perturbation is made by generator=perturbation_for_all",
        ),
        (["generator.size=[4,4]"], "generator.size=[4, 4]: it is that of the network's input"),
        (["generator.xi=0.5"], "generator.xi and generator.norm follow from xi and norm"),
        (["other=auto"], "other=auto depends on the machine"),
        (["classifier.labels=[one]", "classifier.arguments={classes:1}"], "classifier: the network has a single class"),
        (
            [*OTHER, "other.builder=linear_network:network", "other.labels=[one]", "other.arguments={classes:1}"],
            "other: the network has a single class",
        ),
        (["updates=0"], "updates=0 must be a whole number"),
    ],
)
def test_what_cannot_work_is_one_line_before_any_weights_are_loaded(run, monkeypatch, tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    done = run(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert says in done.stderr
    assert not (tmp_path / "outputs").exists()
