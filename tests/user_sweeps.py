"""What the tests of sweeps share: small targets, and how they are made."""

import json

import torch
from conftest import TINY

from genviz.analysis.class_setup import choosing
from genviz.sweeps.sweep import sweep
from genviz.training import build, configuration, naming

SMALL = [word for word in TINY if word.startswith("generator")]
WORDS = [
    *(word for word in TINY if word not in SMALL),
    "logger=none",
    "updates=6",
    "lr_end=1",
    "objective.activation.ramp=0",
    "checkpoint_every=2",
    "snapshot_every=3",
]
TARGETS = "class:tench,filter:relu1:3,class:harmonica"
FOLDERS = ("class-tench", "filter-relu1-3", "class-harmonica")


def begun(folder, *words):
    drawn = any(word.startswith(("generator=", "experiment=")) for word in words)
    words = [*words, *([] if drawn else SMALL)]
    places = [f"paths.outputs={folder}/outputs", f"paths.checkpoints={folder}/checkpoints"]
    config = configuration.compose("train", [*WORDS, *words, *places])
    targets = build.targets(config, build.sketch(config.classifier), choosing(config))
    config.target = None if config.targets is not None else config.target
    return config, targets


def swept(folder, *words, targets=TARGETS):
    """Make the targets with these words below ``folder``; the exit code and the folder of the setting."""
    config, found = begun(folder, f"targets={targets}", *words)
    names = naming.names(config)
    return sweep(config, found), folder / "outputs" / names.classifier / names.generator


def checkpoint(folder):
    """All that a target's checkpoint holds but for how long it took, by the path to it."""
    path = str(folder).replace("/outputs/", "/checkpoints/") + "/last.ckpt"
    found = {}

    def walk(where, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                walk((*where, key), inner)
        elif isinstance(value, list | tuple):
            for key, inner in enumerate(value):
                walk((*where, key), inner)
        elif where[-1] not in ("seconds", "outputs", "checkpoints", "batch"):
            found[where] = value.tolist() if isinstance(value, torch.Tensor) else value

    walk((), torch.load(path, weights_only=True))
    return found


def results(folder):
    return {name: json.loads((folder / name / "result.json").read_text()) for name in FOLDERS}
