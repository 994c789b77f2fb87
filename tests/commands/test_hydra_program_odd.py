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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_an_odd_setting_is_one_line(called, seed):
    for word in odd.settings(list(names(compose("train", WORDS))), 100, seed):
        check(called, word)


def test_some_of_each_kind(called):
    for word in odd.settings(list(names(compose("train", WORDS))), 6, 9):
        check(called, word)


def test_odd_targets_on_the_command_line_are_one_line(called):
    for text in odd.targets(12, 20):
        if "\x00" not in text:  # which no word of a command line has
            check(called, f"target={text}")
