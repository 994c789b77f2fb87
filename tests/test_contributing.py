"""What CONTRIBUTING.md and the manual show, works: the parts that they add are added, tested and used."""

import importlib
import re
import runpy
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from PIL import Image
from user import SECONDS, environment

FILE = re.compile(r"`([\w/]+\.(?:py|yaml))`[^`]*?\n\n```(?:python|yaml)\n(.*?)\n```", re.DOTALL)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("CONTRIBUTING.md", ["objective=above_mean"]),
        ("docs/howto/own_parts.md", ["objective=margin"]),
        ("docs/howto/own_parts.md", ["experiment=fourier_views", "generator=coarse"]),
    ],
)
def test_the_parts_that_are_shown_can_be_added(page, words, called, tmp_path, monkeypatch):
    shown = FILE.findall((ROOT / page).read_text().partition("## An analysis")[0])
    assert len(shown) >= 3
    for name, text in shown:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    before = set(sys.modules)
    for folder in (tmp_path / "genviz").iterdir():
        package = importlib.import_module(f"genviz.{folder.name}")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    tests = [
        test
        for path in (tmp_path / "tests").rglob("test_*.py")
        for name, test in runpy.run_path(str(path)).items()
        if name.startswith("test_")
    ]
    assert tests
    for test in tests:
        test()
    run = called("train", "--config-dir", str(tmp_path / "configs"), "target=class:harmonica", "classifier=small",
                 "updates=2", "logger=none", "trainer.accelerator=cpu", *words)  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert list((tmp_path / "outputs").rglob("final.png"))
    for name in set(sys.modules) - before:
        if name.startswith("genviz.") and str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.slow
def test_the_analysis_that_is_shown_can_be_added(tmp_path):
    page = (ROOT / "docs/howto/own_parts.md").read_text()
    shown = FILE.findall(page[page.index("## An analysis") : page.index("## The other parts")])
    assert len(shown) == 3
    for name in ("genviz", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    for name, text in shown:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 64), "green").save(tmp_path / "photos" / "leaf.png")

    def python(*words):
        env = environment(PYTHONPATH=str(tmp_path))
        words = [sys.executable, *words]
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=SECONDS)

    tested = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert tested.returncode == 0, tested.stdout
    main = "from genviz.commands.main import main; main()"
    listed = python("-c", main, "--help").stdout
    assert listed.splitlines()[-1] == "  predictions    Print what a network says of each picture."
    run = python("-c", main, "predictions", "pictures=photos", "classifier=small", "trainer.accelerator=cpu")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("leaf.png: ")
    bad = python("-c", main, "predictions", "pictures=photos", "top=many")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert "top=many must be a whole number" in bad.stderr
