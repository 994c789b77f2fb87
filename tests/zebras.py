"""Pictures to be attacked, named after a class, and what is read of the results."""

import json

import numpy as np
from PIL import Image

WORDS = ["classifier=small", "classifier.input_size=64", "trainer.accelerator=cpu", "logger=none"]
QUICK = ["steps=3", "at_once=2"]


def zebras(folder):
    """A folder of five pictures of noise and a damaged one."""
    folder.mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((50, 40), Image.Resampling.BICUBIC).save(folder / f"{number}_zebra.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def levels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def results(folder):
    return json.loads((folder / "results.json").read_text())
