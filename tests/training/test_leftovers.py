"""Any file of a run damaged in any way: the same command goes on where it can, or says why in one line."""

import json
import random
import shutil

import pytest
from damage import WAYS, damage, everything, refusable
from user import RUN, WORDS

COMMAND = [*WORDS, "logger=none", "snapshot_every=4"]
FILES = [
    *("snapshots/00000.png", "snapshots/00004.png", "snapshots/00008.png", "metrics.csv", "evolution.mp4"),
    *("config.yaml", "result.json", "final.png", "last.ckpt"),
]
CASES = [
    (state, file, way)
    for state in ("unfinished", "finished", "more")
    for file in FILES
    for way in WAYS
    if state != "unfinished" or file not in ("result.json", "final.png")
]
ORDER = random.Random(3).sample(CASES, len(CASES))
MARKS = dict.fromkeys(ORDER[4:10], pytest.mark.slow) | dict.fromkeys(ORDER[10:], pytest.mark.campaign)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def run_of(runs, called, updates):
    """A whole run of so many updates."""
    folder = runs / str(updates)
    if not folder.exists():
        folder.mkdir()
        assert called("train", *COMMAND, f"updates={updates}", folder=folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("state", "file", "way"),
    [pytest.param(*case, marks=MARKS.get(case, ())) for case in CASES],
)
def test_the_same_command_goes_on_or_says_why(runs, tmp_path, called, state, file, way):
    made, wanted = {"unfinished": (8, 12), "finished": (12, 12), "more": (8, 12)}[state]
    shutil.copytree(run_of(runs, called, made), tmp_path, dirs_exist_ok=True)
    outputs, checkpoint = tmp_path / "outputs" / RUN, tmp_path / "checkpoints" / RUN / "last.ckpt"
    if state == "unfinished":
        (outputs / "result.json").unlink()
        (outputs / "final.png").unlink()
    before = everything(tmp_path)
    path = checkpoint if file == "last.ckpt" else outputs / file
    lost = path.read_bytes()
    kept = damage(path, way)
    with refusable():
        done = called("train", *COMMAND, f"updates={wanted}")
    path.chmod(0o755) if path.exists() else None
    assert "Traceback" not in done.stderr
    if kept is not None:
        assert kept in everything(tmp_path) or file == "evolution.mp4", "what was there is lost"
    if done.returncode != 0:
        assert (file, done.returncode, state != "finished") == ("last.ckpt", 2, True)
        assert len(done.stderr.strip().splitlines()) == 1
        assert len(done.stderr) < 300 + len(str(tmp_path))
        assert "resume=false" in done.stderr
        assert before - {lost} <= everything(tmp_path)
        return
    assert file != "last.ckpt" or way in ("deleted", "broken link") or state == "finished"
    straight = run_of(runs, called, wanted) / "outputs" / RUN
    assert (outputs / "final.png").read_bytes() == (straight / "final.png").read_bytes()
    assert json.loads((outputs / "result.json").read_text())["updates"] == wanted
    again = called("train", *COMMAND, f"updates={wanted}")
    assert "is done, 12 updates" in again.stdout
    assert again.stderr == ""
    if file not in ("metrics.csv", "last.ckpt"):
        assert (outputs / "metrics.csv").read_bytes() == (straight / "metrics.csv").read_bytes()
