"""What the tests of sweeps share: small targets, and how they are made."""

from conftest import CONFIGS, TINY

from genviz import build, program
from genviz.runs.classes import choosing
from genviz.runs.sweep import sweep

SMALL = [word for word in TINY if word.startswith("generator")]
WORDS = [
    *(word for word in TINY if word not in SMALL),
    "logger=none",
    "updates=6",
    "checkpoint_every=2",
    "snapshot_every=3",
]
TARGETS = "class:tench,filter:relu1:3,class:harmonica"
FOLDERS = ("class-tench", "filter-relu1-3", "class-harmonica")


def begun(folder, *words):
    drawn = any(word.startswith(("generator=", "experiment=")) for word in words)
    words = [*words, *([] if drawn else SMALL)]
    places = [f"paths.outputs={folder}/outputs", f"paths.checkpoints={folder}/checkpoints"]
    config = program.compose(CONFIGS, "train", [*WORDS, *words, *places])
    targets = build.targets(config, build.sketch(config.classifier), choosing(config))
    config.target = None if config.targets is not None else config.target
    return config, targets


def swept(folder, *words, targets=TARGETS):
    """Make the targets with these words below ``folder``; the exit code and the folder of the setting."""
    config, found = begun(folder, f"targets={targets}", *words)
    names = build.names(config)
    return sweep(config, found), folder / "outputs" / names.classifier / names.generator
