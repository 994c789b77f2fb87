"""`python pretrain.py`, as a user runs it."""

import subprocess
import sys

import numpy as np
from conftest import ROOT
from PIL import Image
from user import SECONDS, environment

WORDS = [
    "decoder.code_shape=[8,4,4]", "decoder.widths=[8,6]", "decoder.kernels=[2,3]", "decoder.head=[4]",
    "encoder.widths=[4]", "encoder.hidden=16", "updates=6", "batch=4", "validate_every=2", "checkpoint_every=2",
    "data.workers=0", "data.hold_out=4", "trainer.accelerator=cpu", "trainer.precision=32-true", "name=tiny",
]  # fmt: skip
DECODER = "outputs/pretrain/tiny/tiny.safetensors"


def make_photos(folder):
    """Of every kind, nested, and two that are none."""
    draw = np.random.default_rng(0)
    for number, (mode, suffix) in enumerate([("RGB", "jpg"), ("L", "png"), ("RGBA", "png"), ("CMYK", "jpg")] * 4):
        path = folder / f"{mode}/{number}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (40, 50, 3), dtype=np.uint8)).convert(mode).save(path)
    Image.fromarray(draw.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(folder / "x.webp")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


def command(photos, *words):
    return [sys.executable, str(ROOT / "pretrain.py"), f"data.root={photos}", *WORDS, *words]


def pretrain(folder, photos, *words):
    done = subprocess.run(
        command(photos, *words), cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
