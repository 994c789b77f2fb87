"""In a Slurm that is started for it: pytest -m slurm."""

import subprocess
import sys
from collections import Counter

import pytest
from conftest import ROOT, TINY
from slurm import cluster, state, wait
from user import RUN, SECONDS, WORDS, environment

pytestmark = pytest.mark.slurm

SLOW = """
import os, runpy, sys, time
from genviz.training.callbacks.monitor import Monitor
if not int(os.environ.get("SLURM_RESTART_COUNT", 0)):
    Monitor.on_train_batch_start = lambda self, trainer, *given: time.sleep(2 * (trainer.global_step >= 3))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Its updates take so long that the time limit falls among them, until it has been requeued."""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("slurm")) as call:
        call.environment.update(environment(SLURM_CONF=call.environment["SLURM_CONF"], PYTHONPATH=str(ROOT)))
        yield call


def submitted(slurm, folder, script, *options):
    folder.mkdir()
    (folder / "slow.py").write_text(SLOW)
    (folder / "job.sh").write_text(f"#!/bin/bash\n{script}\n")
    options = ["--time=1", "--requeue", "--open-mode=append", f"--chdir={folder}", "--output=log", *options]
    return int(slurm("sbatch", "--parsable", *options, str(folder / "job.sh")))


def test_jobs_end_at_their_time_limit_and_are_requeued(slurm, tmp_path):
    words = [*WORDS, "updates=100", "checkpoint_every=1000", "snapshot_every=50", "logger=none"]
    program = " ".join([sys.executable, "slow.py", str(ROOT / "train.py"), *words])
    again = "[ $? -lt 128 ] || scontrol requeue $SLURM_JOB_ID"
    warned = submitted(slurm, tmp_path / "warned", f"srun {program}\n{again}", "--signal=USR1@30")
    ended = submitted(slurm, tmp_path / "ended", f"exec {program}")
    whole = submitted(slurm, tmp_path / "whole", f"SLURM_RESTART_COUNT=1 {program}", "--ntasks=2")
    wait(lambda: state(slurm, whole) == "COMPLETED")
    wait(lambda: state(slurm, ended) == "TIMEOUT", 180)
    assert "SIGTERM after update" in (tmp_path / "ended/log").read_text()
    slurm("scontrol", "requeue", str(ended))
    for job, name in ((warned, "warned"), (ended, "ended")):
        wait(lambda job=job: state(slurm, job) in ("COMPLETED", "FAILED"), 180)
        log = (tmp_path / name / "log").read_text()
        assert state(slurm, job) == "COMPLETED", log
        assert "continuing after update" in log
        assert "Traceback" not in log
        pictures = [(tmp_path / each / "outputs" / RUN / "final.png").read_bytes() for each in (name, "whole")]
        assert pictures[0] == pictures[1]
    assert "SIGUSR1 after update" in (tmp_path / "warned/log").read_text()
    assert not list(tmp_path.rglob("hpc_ckpt_*"))


@pytest.fixture
def launched(slurm, tmp_path):
    """Start a sweep of 6 targets in two tasks, and return once both are at work."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["-m", "hydra/launcher=submitit_slurm", "worker=0,1", "targets=class:0-5", *TINY, "logger=none"]
    words += ["updates=150", "snapshot_every=50", "checkpoint_every=1000", "hydra.launcher.timeout_min=20"]
    words += ["hydra.launcher.max_num_timeout=3"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *words],
        cwd=tmp_path,
        env=slurm.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait(lambda: len(list(tmp_path.glob("outputs/*/*/*/metrics.csv"))) == 2)
    yield words
    process.terminate()
    assert "Traceback" not in process.communicate(timeout=SECONDS)[1]


def first_task(slurm):
    return next(word for word in slurm("squeue", "--noheader", "--format=%i").split() if word.endswith("_0"))


def finished(slurm, folder):
    """The logs of the tasks, once no job is left; every target has been made once, all updates of it."""
    wait(lambda: not slurm("squeue", "--noheader"), 300)
    logs = [path.read_text() for path in sorted(folder.glob("outputs/.submitit/*/*.out"))]
    done = [line.split()[1] for log in logs for line in log.splitlines() if "/6 class:" in line]
    assert len(done) == 6
    assert max(Counter(done).values()) == 1
    for metrics in folder.glob("outputs/*/*/*/metrics.csv"):
        updates = [row.partition(",")[0] for row in metrics.read_text().splitlines()]
        assert updates == ["update", *map(str, range(1, 151))]
    return logs


def test_one_of_two_tasks_is_cancelled_and_the_other_does_all(slurm, tmp_path, launched):
    slurm("scancel", first_task(slurm))
    logs = finished(slurm, tmp_path)
    assert sum("SIGTERM: " in log and "of 6 targets are done" in log for log in logs) == 1


def test_a_task_that_is_told_to_go_saves_and_is_requeued(slurm, tmp_path, launched):
    slurm("scancel", "--signal=USR2", first_task(slurm))
    logs = finished(slurm, tmp_path)
    assert sum("SIGUSR2: " in log and "Requeued job" in log for log in logs) == 1
