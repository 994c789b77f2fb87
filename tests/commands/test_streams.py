"""Programs without a terminal: closed streams, a full disk behind them, a reader that has gone."""

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from user import RUN, SECONDS, WORDS, command, environment

from genviz.commands import streams


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_closed_streams_lead_nowhere(monkeypatch, name):
    monkeypatch.setattr(sys, name, None)
    streams.complete()
    with getattr(sys, name) as opened:
        assert opened.name == os.devnull


def test_a_full_disk_is_one_line_and_other_errors_are_none():
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert streams.why_full(full).startswith("cannot write the output: No space left on device; free some space")
    assert streams.why_full(OSError(errno.ENOENT, os.strerror(errno.ENOENT))) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_what_cannot_be_said_ends_nothing(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        streams.say("a line")


@pytest.mark.parametrize(
    ("where", "code"),
    [
        pytest.param("2>&-", 0, marks=pytest.mark.campaign),
        pytest.param("<&- >&- 2>&-", 0, marks=pytest.mark.slow),
        pytest.param(">/dev/full", 2, marks=pytest.mark.slow),
        pytest.param("2>/dev/full", 2, marks=pytest.mark.campaign),
        pytest.param("| true", 141, marks=pytest.mark.campaign),
    ],
)
def test_a_run_is_made_or_said_to_be_unfinished(tmp_path, where, code):
    words = shlex.join(command(*WORDS, "logger=none"))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} {where}"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr + done.stdout) == (code, False)
    assert (tmp_path / "outputs" / RUN / "result.json").exists() is (code == 0)
