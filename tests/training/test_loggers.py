"""What a run logs, read back from the files."""

import csv
import json
import struct
import time
from pathlib import Path

import pytest
from conftest import TINY
from user import RUN, run_until, train

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


def test_a_resumed_run_is_the_same_wandb_run_with_one_step(tmp_path):
    words = [*WORDS, "updates=60"]
    process = run_until(tmp_path, 12, *words)
    deadline = time.monotonic() + 20
    while not any(history(run) for run in offline_runs(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert train(tmp_path, *words).returncode == 0
    first, second = offline_runs(tmp_path)
    assert run_of(first).run_id == run_of(second).run_id
    steps = [step for step, _ in history(second)]
    assert steps == sorted(set(steps))
    assert steps[0] > 10  # it goes on after its checkpoint
    assert steps[-1] == 60


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


@pytest.mark.slow
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
    ("environment", "says"),
    [
        ({"WANDB_MODE": "online", "WANDB_API_KEY": ""}, "WANDB_MODE=offline"),
        ({"WANDB_MODE": "nonsense"}, "WANDB_MODE=offline"),
    ],
)
@pytest.mark.slow
def test_a_wandb_that_cannot_begin_is_one_line(tmp_path, environment, says):
    done = train(tmp_path, *WORDS, **environment)
    assert done.returncode == 2
    assert says in done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_wandb_off_and_a_key_without_a_network_run(tmp_path):
    off = train(tmp_path, *WORDS, "updates=2", WANDB_MODE="disabled")
    assert "not logged: WANDB_MODE=disabled" in off.stdout
    key = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    alone = train(tmp_path, *WORDS, "updates=2", "tag=key", **key)
    assert alone.returncode == 0
    assert "wandb sync" in alone.stdout
