"""Odd settings through the command: exit code 2 and one line, or a run."""

import odd
import pytest
from conftest import TINY

from genviz.errors import LONGEST
from genviz.training.configuration import compose

WORDS = ["target=class:harmonica", *TINY, "updates=1", "logger=none"]


def names(config, prefix=""):
    """Every setting, and every group of them."""
    for key in map(str, config):
        if key not in ("choices", "_target_"):
            yield f"{prefix}{key}"
            value = None if "???" in str(config._get_node(key)) else config[key]
            if hasattr(value, "keys"):
                yield from names(value, f"{prefix}{key}.")


def check(called, *words):
    done = called("train", *WORDS, *words)
    assert done.returncode in (0, 2), (words, done.stderr[-500:])
    if done.returncode == 2:
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith("genviz train: "), words
        assert len(line) <= LONGEST, words


BOUNDED = [3, pytest.param(20, marks=pytest.mark.slow), pytest.param(300, marks=pytest.mark.campaign)]


@pytest.mark.parametrize("count", BOUNDED)
def test_an_odd_setting_is_one_line(called, count):
    for word in odd.settings(list(names(compose("train", WORDS))), count, count):
        check(called, word)


@pytest.mark.parametrize("count", BOUNDED)
def test_an_odd_target_is_one_line(called, count):
    for text in odd.targets(count, count):
        if "\x00" not in text:  # which no word of a command line has
            check(called, f"target={text}")


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_what_no_memory_holds_is_one_line(called, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr("genviz.training.train.train", full)
    done = called("train", *WORDS)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("genviz train: there is not enough memory for this; try smaller pictures")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("betas", ["[0.9,0.999,0.9]", "null"])
def test_a_pair_is_of_two(called, betas):
    done = called("train", *WORDS, f"optimizer.betas={betas}")
    assert done.returncode == 2
    assert "must be a list of 2" in done.stderr
