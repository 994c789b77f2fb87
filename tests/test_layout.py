"""The structure holds: imports run one way, modules stay short, one word has its places."""

import ast
import hashlib

import pytest
from conftest import CONFIGS, ROOT

MODULES = sorted((ROOT / "genviz").rglob("*.py"))
PAGES = sorted(path for path in (ROOT / "genviz").rglob("*") if path.suffix in (".html", ".css", ".js"))
FOLDERS = {
    "classifiers": "classifier",
    "generators": "generator",
    "objectives": "objective",
    "regularizers": "regularizer",
}
"""Folders of parts, and their groups of configurations."""
BELOW = {
    "errors",
    "files",
    "folders",
    "images",
    "interfaces",
    "labels",
    "network",
    "randomness",
    "shipped",
    "side_by_side",
    "targets",
    "readout",
}
"""What the parts may import."""


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "genviz":
            for name in node.names:
                yield (node.module + "." + name.name if node.module == "genviz" else node.module).split(".")[1:]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_part_knows_the_interfaces_and_no_other_part(path):
    room = path.relative_to(ROOT / "genviz").parts[0]
    for target in imports(path):
        if room in FOLDERS:
            assert target[0] in BELOW | {room}, f"{path.name} imports {'.'.join(target)}"
        elif room.removesuffix(".py") in BELOW:
            assert target[0] in BELOW, f"{path.name} imports {'.'.join(target)}"


def test_hydra_is_known_to_two_modules():
    knowing = {
        path.stem
        for path in MODULES
        if any(
            (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "hydra" for name in node.names))
            or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hydra")
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert knowing == {"build", "program"}


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_past_300_lines_or_a_drawer(path):
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in ("utils", "helpers", "misc", "common")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_parts_file_has_a_test_of_its_name(folder):
    for path in (ROOT / "genviz" / folder).glob("[a-z]*.py"):
        assert (ROOT / "tests" / folder / f"test_{path.name}").exists(), path


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_yaml_makes_something_of_its_folder(folder):
    for path in (CONFIGS / FOLDERS[folder]).glob("*.yaml"):
        text = path.read_text()
        if "_target_" in text:
            assert f"genviz.{folder}." in text, path


def test_the_runs_and_the_commands_come_last():
    last = {"runs", "commands"}
    for path in MODULES:
        room = path.relative_to(ROOT / "genviz").parts[0].removesuffix(".py")
        known = {target[0] for target in imports(path)}
        assert room in last or not known & last or room == "visualization", path


def test_each_configuration_at_the_top_is_a_commands():
    for path in CONFIGS.glob("*.yaml"):
        assert (ROOT / "genviz/commands" / f"{path.stem}.py").exists()


def test_the_weights_page_tells_of_each_file_that_comes_with_genviz():
    page = (ROOT / "checkpoints/README.md").read_text()
    for path in (ROOT / "checkpoints").glob("*.safetensors"):
        told = page.partition(f"## {path.name}\n")[2].partition("\n## ")[0]
        assert hashlib.sha256(path.read_bytes()).hexdigest() in told, path
