"""The structure holds: modules stay short, one word has its places. Which imports run which way, lint-imports tells."""

import hashlib

import pytest
from conftest import CONFIGS, ROOT
from hydra.utils import get_class, get_method

from genviz.commands.configured import configured
from genviz.training.schema import Settings

MODULES = sorted((ROOT / "genviz").rglob("*.py"))
PAGES = sorted(path for path in (ROOT / "genviz").rglob("*") if path.suffix in (".html", ".css", ".js"))
FOLDERS = {
    "classifiers": "classifier",
    "generators": "generator",
    "objectives": "objective",
    "regularizers": "regularizer",
    "transforms": "transform",
}
"""Folders of parts, and their groups of configurations."""


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_past_300_lines_or_a_drawer(path):
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in ("utils", "helpers", "misc", "common")


def test_the_listing_is_the_architecture():
    assert len([path for path in (ROOT / "genviz").iterdir() if path.name != "__pycache__"]) <= 26


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_parts_file_has_a_test_of_its_name(folder):
    for path in (ROOT / "genviz" / folder).glob("[a-z]*.py"):
        assert (ROOT / "tests" / folder / f"test_{path.name}").exists(), path


TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", [path for path in TESTS if path.parent.name != "tests"], ids=lambda path: path.name)
def test_a_test_lies_where_its_module_does(path):
    """And is called after it: test_sweep.py and test_sweep_faults.py after sweep.py."""
    room = path.parent.relative_to(ROOT / "tests")
    folder = ROOT / "docs/_ext" if room.name == "docs" else ROOT / "genviz" / room
    modules = [module.stem for module in folder.glob("[a-z]*.py")]
    assert any(f"{path.stem}_".startswith(f"test_{module}_") for module in modules)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_yaml_makes_something_of_its_folder(folder):
    for path in (CONFIGS / FOLDERS[folder]).glob("*.yaml"):
        text = path.read_text()
        if "_target_" in text:
            assert f"genviz.{folder}." in text, path


@pytest.mark.parametrize("command", configured(), ids=lambda command: command.name)
def test_a_configuration_at_the_top_names_what_its_command_runs(command):
    assert get_method(command.run).__name__ == command.name
    assert issubclass(get_class(command.settings), Settings)
    assert command.help.endswith(".")


def test_the_weights_page_tells_of_each_file_that_comes_with_genviz():
    sections = (ROOT / "checkpoints/README.md").read_text().split("\n## ")
    for path in (ROOT / "checkpoints").glob("*.safetensors"):
        told = [section for section in sections if f"| file | `{path.name}` |" in section]
        assert len(told) == 1, path
        assert hashlib.sha256(path.read_bytes()).hexdigest() in told[0], path
