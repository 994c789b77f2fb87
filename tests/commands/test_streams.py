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

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")


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


@FULL
def test_what_cannot_be_said_ends_nothing(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        streams.say("a line")


ENDS = """
import sys
from genviz.commands import streams
print("a line that waits")
streams.let_go_if_full()
print("another")
sys.exit(2)
"""


@pytest.mark.parametrize("where", [pytest.param("/dev/full", marks=FULL), "printed.txt"])
def test_only_an_output_that_is_full_is_let_go(tmp_path, where):
    with open(tmp_path / where, "w") as printed:
        done = subprocess.run(
            [sys.executable, "-c", ENDS],
            env=environment(PYTHONUNBUFFERED=""), stdout=printed, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "")
    if where != "/dev/full":
        assert (tmp_path / where).read_text().splitlines() == ["a line that waits", "another"]


MAIN = "from genviz.commands import main\n{}\nmain.main()"
UNFLUSHED = """
import click
main.genviz.add_command(click.Command("say", callback=lambda: print("a line that waits")))
"""
UNFLUSHED_WITH_SETTINGS = """
from genviz.commands import hydra_program
hydra_program._call = lambda *_: print("a line that waits") or 0
"""


@FULL
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("", ["labels"]),
        ("", ["train", "--help"]),
        (UNFLUSHED, ["say"]),
        (UNFLUSHED_WITH_SETTINGS, ["train", "target=class:harmonica"]),
    ],
)
def test_what_a_full_output_cannot_take_is_one_line(tmp_path, change, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN.format(change), *words],
            cwd=tmp_path, env=environment(PYTHONUNBUFFERED=""), stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "cannot write the output: No space left on device" in line


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
        cwd=tmp_path, env=environment(PYTHONUNBUFFERED=""), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr + done.stdout) == (code, False)
    assert "Exception ignored" not in done.stderr
    assert (tmp_path / "outputs" / RUN / "result.json").exists() is (code == 0)
