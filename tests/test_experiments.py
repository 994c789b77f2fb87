"""The experiments: each runs, and each of its panels can be made."""

import numpy as np
import pytest
from conftest import CONFIGS, TINY
from PIL import Image

from genviz import build, checks
from genviz.runs.figure import panels
from genviz.runs.train import train

EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))
OF_GENERATORS = ["despraz2017", "pretrained_views"]
REGULARIZERS = sorted(path.stem for path in (CONFIGS / "regularizer").glob("*.yaml"))


@pytest.fixture
def pictures(tmp_path):
    """The words that name pictures wherever they are asked for."""
    draw = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(draw.integers(0, 256, (64, 72, 3), dtype=np.uint8)).save(tmp_path / name)
    return [f"image={tmp_path}/a.png", f"style={tmp_path}/b.png", f"pictures={tmp_path}"]


@pytest.mark.parametrize("name", OF_GENERATORS)
def test_a_generators_experiment_runs(compose, name):
    own = "pretrained" in compose("target=class:1", f"experiment={name}").generator._target_
    words = [word for word in TINY if not own or not word.startswith("generator")]
    config = compose("target=class:harmonica", f"experiment={name}", *words, "updates=2", "logger=none")
    assert train(config, build.target(config, build.sketch(config.classifier))) == 0
    assert build.names(config).generator.endswith(f"-{name}")


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in OF_GENERATORS])
def test_a_papers_experiment_runs(compose, pictures, name):
    """Its first panel on the small network, or a layer where it has none."""
    words = [f"experiment={name}", "classifier=small", "trainer.accelerator=cpu", "logger=none", *pictures]
    config = compose(*words)
    if config.panels is None:
        config.target = config.get("target") or "layer:relu3_1"
    made = [config] if config.panels is None else [panel for row in panels(config) for panel in row]
    for panel in made:
        checks.check_training(panel)
        build.target(panel, build.sketch(panel.classifier))
    panel = made[0]
    panel.updates, panel.snapshot_every = 1, 1
    assert train(panel, build.target(panel, build.sketch(panel.classifier))) == 0
    assert f"-{name}" in build.names(panel).generator


@pytest.mark.parametrize(
    ("name", "regularizer"),
    [*((name, regularizer) for name in OF_GENERATORS for regularizer in REGULARIZERS),
     *((name, "none") for name in EXPERIMENTS if name not in OF_GENERATORS)],
)  # fmt: skip
def test_an_experiments_regularizer_can_be_another(compose, name, regularizer):
    config = compose("target=class:harmonica", f"experiment={name}", f"regularizer={regularizer}")
    assert list(build.regularizers(config)) == ([] if regularizer == "none" else [regularizer])
