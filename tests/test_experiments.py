"""The experiments: each runs, and each panel of a figure can be made."""

import numpy as np
import pytest
from conftest import CONFIGS, TINY
from PIL import Image

from genviz.classifiers.classic import RECIPES
from genviz.sweeps.figure import panels
from genviz.training import build, naming, settings
from genviz.training.train import train

EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))
OF_GENERATORS = ["despraz2017", "despraz2017_figure8", "despraz2017_figure8_pretrained", "pretrained_views"]
OF_FOLDERS, OF_CLASSES = ("gorgun2025", "brown2017", "lee2019"), ("brown2017", "lee2019")
OF_INVERT = ("mahendran2016_table4", "mahendran2016_table5")
STAND_INS = {"layer": "layer:relu3_1", "filter": "filter:relu3_1:0", "neuron": "neuron:relu3_1:0:4:4"}
"""What the small network has of a figure's kind of target."""
FIGURES = [name for name in EXPERIMENTS if "\npanels:" in (CONFIGS / f"experiment/{name}.yaml").read_text()]
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
    called = naming.names(config).generator
    assert called == name if config.choices.generator == name else called.endswith(f"-{name}")


ALIKE = {f"mahendran2016_figure{number}" for number in (3, 5, 7, 10, 12, 13, 15)} | {
    f"gerretsen_figure{number}" for number in (1, 2, 4, 6)
}
"""Their settings are those of another, at other layers."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.campaign if name in ALIKE else ())
        for name in EXPERIMENTS
        if name not in (*OF_GENERATORS, *OF_INVERT)
    ],
)
def test_a_papers_experiment_runs(compose, pictures, name):
    """On the small network, of the kind of target that its first panel has, or a layer."""
    words = [
        "trainer.accelerator=cpu",
        "logger=none",
        "updates=1",
        "snapshot_every=1",
        *pictures[: 3 if name in OF_FOLDERS else 2],
    ]
    config = compose(f"experiment={name}", "classifier=small", *words)
    wanted = config.get("target") or ("class:zebra" if name in OF_CLASSES else "layer:relu3_1")
    if config.panels is not None:
        figure = compose(f"experiment={name}", f"classifier={next(iter(config.panels))}")
        wanted = panels(figure)[0][0].target
    config.target = STAND_INS.get(wanted.partition(":")[0], wanted)
    settings.TrainSettings.check(config)
    assert train(config, build.target(config, build.sketch(config.classifier))) == 0
    assert f"-{name}" in naming.names(config).generator


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_each_panel_of_a_figure_can_be_made(compose, pictures, name):
    """On each network that the figure has panels for."""
    for network in compose(f"experiment={name}").panels:
        files = ["classifier.weights=random"] if network in RECIPES else []  # their weights are files
        config = compose(f"experiment={name}", f"classifier={network}", *files, *pictures)
        for panel in [panel for row in panels(config) for panel in row]:
            settings.TrainSettings.check(panel)
            outline = build.sketch(panel.classifier)
            build.objective(panel, build.target(panel, outline), outline)
            build.regularizers(panel)


def test_the_embedded_size_is_what_vgg16_sees_in_their_figures(compose):
    def sees(*words):
        return build.sketch(compose("experiment=mahendran2016_figure7", *words).classifier).input_size

    assert sees("classifier=embedded") == (224, 224)
    for published in ("mahendran2016_figure12", "fel2023", "gorgun2025"):
        assert sees("classifier=embedded", f"experiment={published}") == (224, 224)
    assert sees("classifier=embedded", "classifier.input_size=96") == (96, 96)
    assert build.sketch(compose("classifier=embedded").classifier).input_size == (160, 160)
    assert sees("classifier=embedded", "experiment=despraz2017") == (128, 128)


@pytest.mark.parametrize(
    ("name", "regularizer"),
    [*((name, regularizer) for name in OF_GENERATORS for regularizer in REGULARIZERS),
     *((name, "none") for name in EXPERIMENTS if name not in OF_GENERATORS)],
)  # fmt: skip
def test_an_experiments_regularizer_can_be_another(compose, name, regularizer):
    config = compose("target=class:harmonica", f"experiment={name}", f"regularizer={regularizer}")
    assert list(build.regularizers(config)) == ([] if regularizer == "none" else [regularizer])
