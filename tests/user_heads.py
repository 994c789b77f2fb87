"""`python distill.py student=heads`, as a user runs it."""

import subprocess
import sys

import numpy as np
from conftest import ROOT
from PIL import Image
from user import SECONDS, environment

WORDS = [
    "student=heads", "teacher=squeezenet1_1", "teacher.weights=random", "teacher.input_size=48",
    "student.trunk=squeezenet1_1", "student.trunk.weights=random", "student.layers=[fire9]", "student.input_size=48",
    "student.heads=[{hidden: 5},{hidden: 4, kernel: 3},{hidden: 6, pooling: features},{share: 0.5}]",
    "distillation.sizes=[40,48]", "data.crops=250", "data.chunk=32", "updates=6", "batch=16", "validate_every=3",
    "checkpoint_every=2", "data.workers=0", "data.hold_out=4", "trainer.accelerator=cpu", "logger=none",
]  # fmt: skip
OUTPUTS = "outputs/distill/heads"
FILE = f"{OUTPUTS}/heads.safetensors"


def make_photos(folder):
    """Twelve that are noise, and two files that are no pictures."""
    draw = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(draw.integers(0, 255, (50, 60, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    for name in ("1x.jpg", "broken.jpg"):  # one held out, one to train on
        (folder / name).write_bytes(b"no picture")
    return folder


def command(photos, *words):
    return [sys.executable, str(ROOT / "distill.py"), f"data.root={photos}", *WORDS, *words]


def distill(folder, photos, *words):
    done = subprocess.run(
        command(photos, *words), cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
