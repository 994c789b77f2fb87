"""What a run logs, read back from the files."""

import contextlib
import csv
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import TINY
from user import RUN, SECONDS, environment, run_until, train
from wandb_server import FAULTS, failing

from genviz.training import loggers

WORDS = ["target=class:harmonica", *TINY, "updates=20", "snapshot_every=10", "checkpoint_every=5"]


def records(path):
    """The records of an offline W&B run: LevelDB's log format around protobuf."""
    from wandb.proto import wandb_internal_pb2

    data = path.read_bytes()
    position, pending = 7, b""  # after the file's header
    while position + 7 <= len(data):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        chunk = data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 2):
            pending = b""
        pending += chunk
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            yield record


def offline_runs(folder):
    found = sorted((folder / "outputs" / RUN / "wandb").glob("offline-run-*/run-*.wandb"))
    return [list(records(path)) for path in found]


def run_of(run):
    return next(record.run for record in run if record.WhichOneof("record_type") == "run")


def nested(items):
    """Keys and values as they were logged: a picture is one value with several keys."""
    found = {}
    for item in items:
        *above, last = list(item.nested_key) or [item.key]
        place = found
        for key in above:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)
    return found


def history(run):
    rows = []
    for record in run:
        if record.WhichOneof("record_type") == "history":
            rows.append((record.history.step.num, nested(record.history.item)))
    return rows


def summary(run):
    found = {}
    for record in run:
        if record.WhichOneof("record_type") == "summary":
            found |= nested(record.summary.update)
    return found


@pytest.mark.slow
def test_the_first_run_needs_no_account_and_is_all_in_its_file(tmp_path):
    done = train(tmp_path, *WORDS)
    assert done.returncode == 0, done.stderr
    assert "wandb sync" in done.stdout
    (run,) = offline_runs(tmp_path)
    described = run_of(run)
    assert described.project == "genviz"
    assert described.run_group == "squeezenet1_1-random/untrained_small"
    assert described.display_name == "class:harmonica on squeezenet1_1-random/untrained_small"
    config = {item.key: json.loads(item.value_json) for r in run for item in r.run.config.update} | {
        item.key: json.loads(item.value_json) for r in run for item in r.config.update
    }
    assert config["target"] == "class:harmonica"
    assert config["optimizer"]["lr"] == 0.004
    rows = history(run)
    steps = [step for step, _ in rows]
    assert steps == sorted(set(steps))
    assert {10, 20} <= set(steps)
    logged = {key for _, items in rows for key in items}
    assert {"loss", "score", "activation", "rank", "penalty/total_variation", "snapshot", "final"} <= logged
    assert [step for step, items in rows if "snapshot" in items] == [0, 10, 20]
    images = [items["snapshot"] for _, items in rows if "snapshot" in items]
    assert all(image["_type"] == "image-file" for image in images)
    final = summary(run)
    result = json.loads((tmp_path / "outputs" / RUN / "result.json").read_text())
    assert (final["verdict"], final["rank"]) == (result["verdict"], result["rank"])
    assert final["activation"] == pytest.approx(result["activation"])


@pytest.mark.slow
def test_a_resumed_run_is_the_same_wandb_run_with_one_step(tmp_path):
    words = [*WORDS, "updates=60"]
    process = run_until(tmp_path, 12, *words)
    deadline = time.monotonic() + 20
    while not any(history(run) for run in offline_runs(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    done = train(tmp_path, *words)
    assert done.returncode == 0
    first, second = offline_runs(tmp_path)
    assert run_of(first).run_id == run_of(second).run_id
    steps = [step for step, _ in history(second)]
    assert steps == sorted(set(steps))
    assert steps[0] > 10  # it goes on after its checkpoint
    assert steps[-1] == 60
    assert len(synced(tmp_path, done.stdout)) == 2


def synced(folder, said):
    """The parts that the printed command uploads."""
    command = re.search(r"wandb sync [^)\n]+", said)[0].replace("wandb", f"{sys.executable} -m wandb", 1)
    words = f"{command} --dry-run"
    done = subprocess.run(words, shell=True, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"run-\d+_\d+-\w+", done.stdout + done.stderr))


@pytest.mark.parametrize("name", ["csv", "none", "tensorboard"])
def test_the_other_loggers(tmp_path, called, name):
    assert called("train", *WORDS, f"logger={name}").returncode == 0
    outputs = tmp_path / "outputs" / RUN
    with (outputs / "metrics.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20
    assert not (outputs / "wandb").exists()
    assert bool(list(outputs.glob("tensorboard/events*"))) == (name == "tensorboard")


def test_tensorboards_file_has_the_numbers_and_the_pictures(tmp_path, called):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert called("train", *WORDS, "logger=tensorboard").returncode == 0
    events = EventAccumulator(str(tmp_path / "outputs" / RUN / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("activation")] == [10, 20]
    assert {"snapshot", "final"} <= set(events.Tags()["images"])
    assert Path(tmp_path / "outputs" / RUN / "final.png").exists()


@pytest.mark.campaign
def test_a_resume_without_wandb_keeps_the_run_for_later(tmp_path, called):
    import torch

    ids = []
    for updates, logger in ((5, "wandb"), (10, "none"), (15, "wandb")):
        words = [*WORDS, f"updates={updates}", f"logger={logger}", "lr_end=1", "objective.activation.ramp=0"]
        done = train(tmp_path, *words) if logger == "wandb" else called("train", *words)
        assert done.returncode == 0
        checkpoint = torch.load(tmp_path / "checkpoints" / RUN / "last.ckpt", weights_only=True)
        ids.append(checkpoint["genviz"]["wandb_run_id"])
    assert ids[0] is not None
    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"WANDB_MODE": "nonsense"}, "WANDB_MODE=offline"),
    ],
)
@pytest.mark.slow
def test_a_wandb_that_cannot_begin_is_one_line(tmp_path, variables, says):
    done = train(tmp_path, *WORDS, **variables)
    assert done.returncode == 2
    assert says in done.stderr.strip().splitlines()[-1]


@pytest.mark.campaign
def test_wandb_off_and_a_key_without_a_network_run(tmp_path):
    off = train(tmp_path, *WORDS, "updates=2", WANDB_MODE="disabled")
    assert "not logged: WANDB_MODE=disabled" in off.stdout
    key = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    alone = train(tmp_path, *WORDS, "updates=2", "tag=key", **key)
    assert alone.returncode == 0
    assert "wandb sync" in alone.stdout


def timed(folder, *words, **variables):
    """A short run, and its seconds."""
    begun = time.monotonic()
    done = train(folder, *WORDS, "updates=2", *words, **variables)
    assert done.returncode == 0, done.stderr
    return done, time.monotonic() - begun


@pytest.mark.parametrize(
    "fault",
    [pytest.param(e, marks=pytest.mark.campaign) for e in FAULTS],
)
def test_a_server_that_fails_costs_seconds_and_no_run(tmp_path, fault):
    _, alone = timed(tmp_path, "tag=alone", "logger=none")
    asked = []
    with failing(fault, asked) as variables:
        done, seconds = timed(tmp_path, **variables)
    assert seconds - alone < 90  # ten, and room for other tests; W&B itself would wait for two minutes at the end
    assert not [path for path in asked if "otel" in path]  # W&B's reports on itself
    assert loggers._ROUTE_SECONDS + loggers._INIT_SECONDS < 8  # the rest of ten is W&B's own start
    upload = re.search(r"wandb sync \S+", done.stderr)[0]
    assert upload in done.stdout.strip().splitlines()[-1]
    if "nonsense" not in fault:  # then W&B's own program crashes on the way
        assert "logged offline" in done.stderr
        assert len(offline_runs(tmp_path)) == 1
        assert synced(tmp_path, done.stdout)


def test_a_run_that_began_offline_goes_on_offline_until_it_is_uploaded(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(loggers, "why_useless", lambda *asked: None)
    (tmp_path / "offline-run-20260101_000000-abc").mkdir()
    assert loggers._mode(tmp_path, "abc") == ("offline", "an earlier part of the run has not been uploaded")
    assert loggers._mode(tmp_path, "other") == ("online", None)
    (tmp_path / "offline-run-20260101_000000-abc" / "run-abc.wandb.synced").touch()
    assert loggers._mode(tmp_path, "abc") == ("online", None)


@pytest.mark.campaign
def test_a_wandb_that_ends_on_the_way_ends_no_run(tmp_path):
    process = run_until(tmp_path, 3, *WORDS)
    own = [child for child in children(process.pid) if "wandb" in Path(f"/proc/{child}/cmdline").read_text()]
    for child in own:
        os.kill(child, signal.SIGKILL)
    said, failed = process.communicate(timeout=SECONDS)
    assert own
    assert process.returncode == 0, failed
    assert "W&B failed" in failed
    assert "wandb sync" in said.strip().splitlines()[-1]


def children(number):
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == number:
                found.append(int(status.parent.name))
    return found


def test_a_wandb_that_ends_while_a_run_begins_ends_no_run(tmp_path, monkeypatch, capsys):
    begun = SimpleNamespace(id="abc", dir=str(tmp_path / "run-1-abc/files"), disabled=False, offline=False)

    def experiment(self):
        if self._experiment is None:
            self._experiment = begun
            raise ConnectionResetError("Connection lost")
        return self._experiment

    monkeypatch.setattr(loggers.WandbRun, "experiment", property(experiment))
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = loggers.WandbRun(folder=tmp_path, run_id="abc", project="p", group="g", name="n")
    run.log_metrics({"loss": 1.0}, 1)
    assert capsys.readouterr().err.startswith("W&B failed (Connection lost); the run goes on without it; to upload")
    assert "upload it: wandb sync" in run.where


def test_whatever_a_server_answers_is_printable(capsys):
    loggers._say("W&B: \x00\x1b[31m odd; logged offline")
    assert capsys.readouterr().err == "W&B:   [31m odd; logged offline\n"
