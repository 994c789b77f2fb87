"""A tiny classifier that needs no weights, and where the real ones are."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch reads it: tests run side by side, and what they start inherits it

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor, nn

import genviz  # noqa: F401 - before anything that imports torchvision
from genviz.commands.main import main
from genviz.images.pictures import resize
from genviz.interfaces import SCORES, Classifier, Layer, Outline
from genviz.training import configuration

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs"
LABELS = ("tench", "harmonica", "Cardigan", "cardigan", "jack-o'-lantern", "lesser panda")
TINY = [
    "classifier=squeezenet1_1",
    "classifier.weights=random",
    "classifier.input_size=64",
    "generator=untrained_small",
    "generator.widths=[16,8,8]",
    "generator.kernels=[2,3,3]",
    "trainer.accelerator=cpu",
]
"""A run of a second or two."""


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: without going through them again and again, the tests take 6 % less time."""
    gc.freeze()


class TinyClassifier(Classifier):
    """Six classes on 12 x 12 pixels: a convolution, a ReLU, a mean, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weights_source, self.weights_sha256 = "seeded", "0" * 64
        self.outline = self.sketch()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, len(LABELS))
        self.requires_grad_(False)

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        layers = (Layer("conv1", "0", (4, 10, 10)), Layer("relu1", "1", (4, 10, 10)), Layer(SCORES, SCORES, (6,)))
        return Outline(LABELS, layers, {"relu1": "conv1"}, (12, 12))

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        seen = self._look(images, {})
        return {layer: seen[layer] for layer in layers}

    def seen_through(
        self, images: Tensor, layers: Sequence[str], layer: str, part: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        seen = self._look(images, {layer: part})
        return {layer: seen[layer] for layer in layers}

    def _look(self, images: Tensor, parts: dict[str, Callable[[Tensor], Tensor]]) -> dict[str, Tensor]:
        conv = parts.get("conv1", nn.Identity())(self.conv(resize(images, self.outline.input_size)))
        relu = parts.get("relu1", nn.Identity())(conv.relu())
        return {"conv1": conv, "relu1": relu, SCORES: self.head(relu.mean((2, 3)))}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker for each processor, and no more than four: each holds torch, and a VGG16 now and then."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, 4)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What fixtures of a module draw is the same in each run, whichever test is the first to ask for them."""
    _seed(20_000_003)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """What a test and its own fixtures draw is the same, whatever ran before in this process."""
    _seed(10_000_019)  # none that a test is likely to set


def _seed(number: int) -> None:
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)


@pytest.fixture
def classifier() -> TinyClassifier:
    return TinyClassifier()


@pytest.fixture
def compose(tmp_path: Path) -> Callable[..., DictConfig]:
    """The configuration of a command line, with its folders in ``tmp_path``."""

    def composed(*words: str, name: str = "train") -> DictConfig:
        roots = ("outputs",) if name in ("invert", "contributions") else ("outputs", "checkpoints")
        places = [f"paths.{root}={tmp_path}/{root}" for root in roots]
        return configuration.compose(name, [*words, *places])

    return composed


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Call a command of `genviz.commands` in ``tmp_path``, as `user` starts it and without the seconds of a start."""

    def ended(command: str, *words: str, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("WANDB")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", "/nonexistent")
        monkeypatch.setattr(sys, "argv", ["genviz", command, *words])
        capfd.readouterr()  # what was said before
        with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
            for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", quiet)  # as Python does by itself
            warnings.showwarning = lambda *of, **more: print(of, file=sys.stderr)  # where pytest would keep them
            main()
        said = capfd.readouterr()
        return subprocess.CompletedProcess(words, end.value.code, said.out, said.err)

    return ended


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """The words that name a picture of 40 x 60 pixels wherever one is asked for."""
    Image.new("RGB", (60, 40), (200, 100, 0)).save(tmp_path / "a.png")
    return [f"image={tmp_path}/a.png", f"style={tmp_path}/a.png", f"pictures={tmp_path}"]


@pytest.fixture(scope="session")
def data() -> Path:
    """Real weights and pictures."""
    folder = Path(os.environ.get("GENVIZ_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "squeezenet1_0_caffe.safetensors").exists():
        pytest.skip("no real weights here; GENVIZ_DATA=DIR says where they are")
    return folder
