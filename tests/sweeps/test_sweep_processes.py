"""Sweeps in processes of their own: killed, started again, and side by side."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import ROOT
from user import SECONDS, environment, slow_after
from user_sweeps import FOLDERS, SMALL, TARGETS, WORDS, checkpoint, swept

pytestmark = pytest.mark.slow


def command(folder, *words):
    places = [f"paths.outputs={folder}/outputs", f"paths.checkpoints={folder}/checkpoints"]
    return [sys.executable, str(ROOT / "train.py"), *words, f"targets={TARGETS}", *WORDS, *SMALL, *places]


def test_killed_and_started_again_it_does_what_is_left(tmp_path):
    whole = swept(tmp_path / "whole", "batch=2", "updates=40")[1]
    folder = tmp_path / "killed"
    metrics = folder / "outputs" / whole.relative_to(tmp_path / "whole/outputs") / "filter-relu1-3" / "metrics.csv"
    words = [*command(folder), "batch=2", "updates=40"]
    process = subprocess.Popen(slow_after(10, words), cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL)
    end = time.monotonic() + SECONDS
    while not (metrics.exists() and len(metrics.read_text().splitlines()) > 9) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not metrics.with_name("result.json").exists()
    assert checkpoint(metrics.parent)[("global_step",)] > 0
    begun = [metrics.parents[1] / name / "snapshots/00000.png" for name in FOLDERS[:2]]
    stamps = [path.stat().st_mtime_ns for path in begun]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert [path.stat().st_mtime_ns for path in begun] == stamps  # a training from its beginning takes them anew
    for name in FOLDERS:
        for file in ("final.png", "metrics.csv"):
            assert (metrics.parents[1] / name / file).read_bytes() == (whole / name / file).read_bytes(), name


def test_two_workers_share_the_targets(tmp_path):
    whole = swept(tmp_path / "whole")[1]
    folder = tmp_path / "shared"
    words = [*command(folder, "-m", "worker=0,1", "hydra/launcher=joblib"), "logger=wandb"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    made = folder / "outputs" / whole.relative_to(tmp_path / "whole/outputs")
    assert sorted(done.stdout.count(f" {name}: ") for name in TARGETS.split(",")) == [1, 1, 1]
    for name in FOLDERS:
        assert (made / name / "final.png").read_bytes() == (whole / name / "final.png").read_bytes()
    ids = {json.loads((made / f"sweep-{n}.json").read_text())["wandb_run_id"] for n in (0, 1)}
    assert len(ids) == 2
    tables = [json.loads(path.read_text()) for path in made.glob("wandb/offline-run-*/files/media/table/*.json")]
    assert len(tables) == 2
    rows = max((table["data"] for table in tables), key=len)  # of the process that ended last
    assert sorted(row[0] for row in rows) == sorted(TARGETS.split(","))
    assert {"verdict", "rank", "activation", "picture"} <= set(tables[0]["columns"])


def test_a_workers_failure_is_the_programs(tmp_path):
    folder = tmp_path / "one/checkpoints/squeezenet1_1-random/untrained_small/class-tench"
    folder.mkdir(parents=True)
    (folder / "last.ckpt").write_text("junk")
    words = command(tmp_path / "one", "-m", "worker=0,1", "hydra/launcher=joblib")
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len([*(tmp_path / "one/outputs").glob("*/*/*/result.json")]) == 2


def group_of(leader):
    """The processes that are left of a group; what launchers start besides their workers ends with those."""
    table = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [row.split(maxsplit=2) for row in table.splitlines()]
    return [row for row in rows if int(row[0]) == leader and not row[1].startswith("Z")]


@pytest.mark.parametrize(
    ("which", "end"),
    [
        ("SIGTERM", os.kill),
        pytest.param("SIGINT", os.killpg, marks=pytest.mark.campaign),
        pytest.param("SIGKILL", os.kill, marks=pytest.mark.campaign),
    ],
)
def test_workers_save_and_end_with_the_program_that_started_them(tmp_path, which, end):
    if which != "SIGKILL" and signal.getsignal(signal.Signals[which]) is signal.SIG_IGN:
        pytest.skip("the shell that started the tests in the background has the signal ignored")
    words = [*command(tmp_path / "one", "-m", "worker=0,1", "hydra/launcher=joblib"), "updates=100000"]
    with (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(words, cwd=tmp_path, env=environment(), stderr=err, start_new_session=True)
    deadline = time.monotonic() + SECONDS
    while len(rows := [*tmp_path.glob("one/outputs/*/*/*/metrics.csv")]) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    number = signal.Signals[which]
    end(process.pid, number)
    assert process.wait() == (-number if which == "SIGKILL" else 128 + number)
    saved = [
        tmp_path / "one/checkpoints" / path.relative_to(tmp_path / "one/outputs").with_name("last.ckpt")
        for path in rows
    ]
    while True:  # after SIGKILL, the workers take a second to see it
        updates = [len(path.read_text().splitlines()) - 1 for path in rows]
        time.sleep(2.5)
        steps = [torch.load(path, weights_only=True)["global_step"] if path.exists() else None for path in saved]
        if steps == updates or time.monotonic() > deadline:
            break
    assert steps == updates
    while group_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not group_of(process.pid)
    assert "Traceback" not in (tmp_path / "err").read_text()


def test_one_command_has_a_process_for_each_device_even_for_few_targets(tmp_path):
    words = command(tmp_path / "one", "batch=8", "trainer.devices=2")
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    made = sorted(tmp_path.rglob("result.json"))
    assert len(made) == 3
    assert done.stdout.count(" at a time: ") == 2
    held = [json.loads(path.read_text())["seconds_per_update"] for path in made]
    assert len(set(held)) > 1  # not all in one batch
