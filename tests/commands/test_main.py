"""The command `genviz` itself: what it lists, and what it says of what it does not know."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from user import SECONDS

from genviz.commands.main import genviz

LISTED = {"labels": "134  crane bird", "layers": "relu5_1  ", "classifiers": "resnet50"}


@pytest.mark.parametrize("what", [["labels", "crane"], ["layers", "vgg16"], ["layers", "embedded"], ["classifiers"]])
def test_what_can_be_named_is_listed(called, what):
    done = called(*what)
    assert done.returncode == 0
    assert LISTED[what[0]] in done.stdout


@pytest.mark.slow
def test_an_installed_genviz_lists_and_says_what_it_does_not_know():
    for what, code in (("vgg16", 0), ("vgg61", 2)):
        words = [str(Path(sys.executable).with_name("genviz")), "layers", what]
        listed = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=SECONDS)
        assert listed.returncode == code
        assert (LISTED["layers"] in listed.stdout) is (code == 0)
        assert ("vgg16" in listed.stderr) is (code == 2)


def test_the_commands_are_listed_in_their_order_and_a_misspelt_one_is_recognised(called):
    listed = subprocess.run([Path(sys.executable).with_name("genviz"), "--help"], capture_output=True, text=True)
    assert listed.returncode == 0
    lines = listed.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines if line[2] != " "] == list(genviz.commands)
    for word, says in (("tarin", "did you mean genviz train?"), ("xyz", "genviz --help lists them")):
        done = called(word)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert says in done.stderr


@pytest.mark.parametrize("name", list(genviz.commands))
def test_each_command_has_a_help_of_its_own(called, name):
    done = called(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"genviz {name}" in done.stdout


def test_alone_it_shows_its_help(called):
    words = [Path(sys.executable).with_name("genviz")]
    alone, asked = (subprocess.run([*words, *more], capture_output=True, text=True) for more in ([], ["--help"]))
    assert (alone.returncode, alone.stdout, alone.stderr) == (0, asked.stdout, "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["layers"], "genviz layers: missing argument 'CLASSIFIER'"),
        (["layers", "vgg16", "extra"], "genviz layers: got unexpected extra argument (extra)"),
        (["labels", "harmnica"], "genviz: no label contains 'harmnica'; nearest: harmonica"),
        (["labels", "qqqq"], "genviz: no label contains 'qqqq'"),
    ],
)
def test_a_mistake_in_options_names_the_command(called, words, says):
    done = called(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(says)


@pytest.mark.parametrize("words", [["labels", "crane"], ["train", "target=class:0"]])
def test_a_deleted_current_folder_is_one_line(tmp_path, called, monkeypatch, words):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.setattr(Path, "cwd", lambda: (_ for _ in ()).throw(FileNotFoundError()))
    done = called(*words)
    assert (done.returncode, done.stderr) == (
        2,
        "genviz: the current folder has been deleted; go to another one with cd\n",
    )


def test_an_interrupt_while_it_starts_is_one_line(tmp_path):
    code = """
import signal, sys
from genviz.commands.main import main
sys.argv = ["train.py", "target=class:1"]
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "hydra":
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupts())
main("train", called="train.py")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "train.py: interrupted; the same command continues")
