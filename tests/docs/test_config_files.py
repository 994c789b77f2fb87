"""What the reference says of the YAML files is what is in them."""

from pathlib import Path

import pytest
import yaml
from config_files import Panels, Part, Setting, files, groups, read
from conftest import CONFIGS

PATHS = sorted(CONFIGS.rglob("*.yaml"))


def flat(settings, prefix=""):
    """Every setting below a mapping by its dotted name."""
    for key, value in settings.items():
        if isinstance(value, dict) and value and key not in ("input_space", "arguments", "hints"):  # written in braces
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_setting_has_the_default_that_yaml_reads(path):
    file = read(path, CONFIGS)
    loaded = yaml.safe_load(path.read_text()) or {}
    of_commands = () if file.group else ("command",)
    kept = {key: value for key, value in loaded.items() if key not in ("defaults", "hydra", *of_commands)}
    if isinstance(kept.get("panels"), dict):
        del kept["panels"]
    prefix = "" if not file.group or "@package _global_" in path.read_text() else f"{file.group}."
    found = {s.name: yaml.safe_load(s.default) for s in file.settings if s.default is not None}
    expected = dict(flat(kept, prefix))
    classes = [value for name, value in expected.items() if name.endswith("_target_")]
    assert list(file.classes) == classes
    assert found == {name: value for name, value in expected.items() if not name.endswith("_target_")}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_no_comment_is_lost(path):
    file = read(path, CONFIGS)
    told = [file.about, *file.notes, *(entry.comment for entry in (*file.settings, *file.parts))]
    for line in path.read_text().partition("\nhydra:")[0].splitlines():
        comment = line.partition("#")[2].strip()
        in_panels = line.startswith("  ") and file.panels and not any(comment in text for text in told)
        if comment and comment != "@package _global_" and not in_panels and not comment.startswith("Hydra's own"):
            assert any(comment in text for text in told), comment


def test_the_groups_are_the_folders():
    assert groups(CONFIGS) == sorted({path.parent.name for path in PATHS} - {"configs"})
    assert [file.name for file in files(CONFIGS, "logger")] == ["csv", "none", "tensorboard", "wandb"]


def made(folder: Path, name: str, text: str):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return read(path, folder)


def test_a_part(tmp_path):
    file = made(tmp_path, "generator/mine.yaml", """\
# What it is,
# in two lines
defaults:
  - pixels
_target_: genviz.generators.mine.Mine
size: [4, 4]               # rows, columns; "#" is a hash
word: "a # b"              # quoted

# a note
colours:                   # three
  red: 1.0e-3
""")  # fmt: skip
    assert file.about == "What it is, in two lines"
    assert file.notes == ("a note",)
    assert file.bases == ("pixels",)
    assert file.classes == ("genviz.generators.mine.Mine",)
    assert file.settings == (
        Setting("generator.size", "[4, 4]", 'rows, columns; "#" is a hash'),
        Setting("generator.word", '"a # b"', "quoted"),
        Setting("generator.colours", None, "three"),
        Setting("generator.colours.red", "1.0e-3", ""),
    )


def test_an_experiment(tmp_path):
    file = made(tmp_path, "experiment/mine.yaml", """\
# @package _global_
# A figure
defaults:
  - override /generator: fourier
  - override /transform: [views, flip]  # both
  - /classifier@student.trunk: embedded

generator:
  size: 8
panels:
  vgg16: &vgg16
    - - target=class:1
      - target=class:2
    - - target=class:3 seed=1
  embedded: *vgg16
  small:
    - target=class:4
""")  # fmt: skip
    assert file.about == "A figure"
    assert file.parts == (
        Part("generator", "generator", ("fourier",), ""),
        Part("transform", "transform", ("views", "flip"), "both"),
        Part("student.trunk", "classifier", ("embedded",), ""),
    )
    assert file.settings == (Setting("generator.size", "8", ""),)
    assert file.panels == (
        Panels(("vgg16", "embedded"), (("target=class:1", "target=class:2"), ("target=class:3 seed=1",))),
        Panels(("small",), (("target=class:4",),)),
    )


def test_a_command(tmp_path):
    file = made(tmp_path, "mine.yaml", """\
defaults:
  - train
  - _self_
  - override hydra/job_logging: none

# of the paper
generator:
  start: noise
# not shown
hydra:
  help:
    header: |
      What it does.

        genviz mine
    footer: |
      The end.
""")  # fmt: skip
    assert file.bases == ("train",)
    assert file.parts == file.notes == ()
    assert file.settings == (Setting("generator", None, "of the paper"), Setting("generator.start", "noise", ""))
    assert file.header == "What it does.\n\n  genviz mine"
    assert file.footer == "The end."
