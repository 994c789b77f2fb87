import pytest
import yaml
from hydra.utils import get_class

from genviz.commands.configured import configured
from genviz.commands.settings_help import help_of

SCHEMAS = {command.name: get_class(command.settings) for command in configured()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_setting_has_its_default_and_a_line_of_help(name):
    lines = help_of(name, SCHEMAS[name], []).splitlines()
    first, last = lines.index("Settings:") + 1, lines.index("Parts (part=choice):") - 1
    assert last - first > 5
    for line in lines[first:last]:
        setting, _, said = line.strip().partition("  ")
        assert "=" in setting
        assert len(said.split()) > 1, line
    assert f"genviz {name}" in lines[2]


def test_the_defaults_are_those_of_the_words():
    said = help_of("train", SCHEMAS["train"], ["experiment=fourier_views", "seed=5"])
    assert "  seed=5  " in said
    assert "genviz.generators.fourier.Fourier" in said
    assert "genviz.generators.untrained" not in said


@pytest.mark.parametrize("word", ["experiment=nope", "target=a=b", "x=(", "no_such_setting=1"])
def test_help_on_words_that_cannot_work_is_one_line(called, word):
    done = called("train", word, "--help")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("genviz train: ")


def test_the_parts_are_listed_with_their_choices():
    said = help_of("train", SCHEMAS["train"], [])
    parts = said.partition("Parts (part=choice):\n")[2].partition("\n\n")[0]
    listed = {line.strip().partition(": ")[0]: line.partition(": ")[2].split(", ") for line in parts.splitlines()}
    assert {"pixels", "fourier", "untrained"} <= set(listed["generator"])
    assert {"views", "jitter"} <= set(listed["transform"])
    assert "recipe" not in listed


def test_what_no_schema_lists_is_there_as_yaml():
    said = help_of("train", SCHEMAS["train"], [])
    rest = yaml.safe_load(said.partition("Settings of the parts:\n")[2].rpartition("\n")[0])
    assert rest["optimizer"]["lr"] == 0.1
    assert "updates" not in rest
    assert not {"paths", "choices", "hydra"} & set(rest)
