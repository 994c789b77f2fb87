"""A Slurm of one node, this machine, for as long as a test needs it (Debian: slurm-wlm, munge; as root)."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue")
_SECONDS = 60


@contextmanager
def cluster(folder):
    """Start the daemons with all their files in ``folder``; yield a function that calls Slurm's programs."""
    if os.getuid() != 0 or any(shutil.which(program) is None for program in PROGRAMS):
        pytest.skip("needs root, and slurm-wlm and munge")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    conf = folder / "slurm.conf"
    conf.write_text(_configuration(folder))
    environment = {**os.environ, "SLURM_CONF": str(conf)}

    def call(*words, check=True, **more):
        done = subprocess.run(words, env={**environment, **more}, capture_output=True, text=True, timeout=_SECONDS)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    call.environment = environment
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge", f"--key-file={key}"]
    munged += [f"--{kind}-file={folder}/munge.{kind}" for kind in ("pid", "log", "seed")]
    daemons = [
        munged,
        ("slurmctld", "-D", "-f", str(conf)),
        ("slurmd", "-D", "-f", str(conf), "-N", socket.gethostname()),
    ]
    with ExitStack() as stack:
        for daemon in daemons:
            log = stack.enter_context((folder / f"{daemon[0]}.out").open("wb"))
            process = subprocess.Popen(daemon, env=environment, stdout=log, stderr=log, start_new_session=True)
            stack.callback(_end, process)
            time.sleep(0.5)
        stack.callback(call, "scancel", "--user=root", check=False)
        wait(lambda: "idle" in call("sinfo", "--noheader", "--format=%T", check=False))
        yield call


def wait(holds, seconds=_SECONDS):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def state(call, job):
    """Of a job: PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, TIMEOUT, …"""
    said = call("scontrol", "--oneliner", "show", "job", str(job), check=False)
    return dict(word.split("=", 1) for word in said.split() if "=" in word).get("JobState", "")


def _end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def _configuration(folder):
    host = socket.gethostname()
    return f"""\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={_free_port()}
SlurmdPort={_free_port()}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
JobRequeue=1
KillWait=20
ReturnToService=2
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
