"""What a change of the code must leave as it was, byte for byte: python benchmarks/unchanged.py FOLDER PICTURES

Runs twelve commands in FOLDER, with a ``cat.jpg`` and a ``painting.jpg`` from PICTURES, and prints the SHA-256 of every
final.png, metrics.csv and result.json, the last without versions, times and the names of modules. Run it with the code
before the change and with the code after it, each in a new folder, and compare what they print. The thirteenth command
is killed and continues.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHORT = ["classifier=small", "updates=12", "logger=none", "snapshot_every=6", "objective.activation.warm_up=4"]
PIXELS = ["classifier=small", "updates=12", "logger=none", "snapshot_every=6"]
COMMANDS = {
    "class": ["target=class:harmonica", *SHORT],
    "mixture": ["target=class:ostrich@0.7+bullfrog@0.3", "experiment=despraz2017", *SHORT],
    "filters": ["target=filter:conv5_1:3+7", *SHORT],
    "pretrained": ["target=class:tench", "generator=pretrained", *SHORT],
    "neuron": ["target=neuron:conv5_1:3:4:4", "experiment=mahendran2016_maximization", *PIXELS],
    "fourier": ["target=class:zebra", "experiment=fourier_views", *SHORT],
    "embedded": ["target=class:castle", "classifier=embedded", "updates=3", "logger=none"],
    "inversion": ["target=layer:conv4_2", "experiment=mahendran2016_inversion", "image=cat.jpg", *PIXELS],
    "caricature": ["target=layer:conv4_2", "experiment=mahendran2016_caricature", "image=cat.jpg", *PIXELS],
    "deepdream": ["target=layer:conv5_1", "experiment=kocur2021_deepdream", "image=cat.jpg", *PIXELS],
    "style": [
        *("target=layer:conv2_1+layer:conv4_1", "objective=style", "style=painting.jpg", "generator=pixels"),
        *("image=cat.jpg", *PIXELS),
    ],
    "sweep": ["targets=class:1-3", *SHORT],
}
KILLED = ["target=class:flamingo", "classifier=small", "updates=60", "checkpoint_every=20", "logger=none"]


def main() -> None:
    folder, pictures = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True)
    for name in ("cat.jpg", "painting.jpg"):
        (folder / name).write_bytes((pictures / name).read_bytes())
    for name, words in COMMANDS.items():
        done = _start(folder, name, words).wait()
        print(f"{name}: exit {done}" if done else name, file=sys.stderr, flush=True)
    _kill_once(folder)
    _start(folder, "killed", KILLED).wait()
    for path in sorted(folder.rglob("*")):
        if path.name in ("final.png", "metrics.csv", "result.json"):
            print(hashlib.sha256(_compared(path)).hexdigest(), path.relative_to(folder))


def _start(folder: Path, name: str, words: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # the order of a sum is the number of threads' own
    places = [f"paths.outputs={name}", f"paths.checkpoints={name}/checkpoints"]
    with open(folder / f"{name}.log", "a") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *words, *places],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )


def _kill_once(folder: Path) -> None:
    process = _start(folder, "killed", KILLED)
    while process.poll() is None and not list(folder.glob("killed/checkpoints/**/*.safetensors")):
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _compared(path: Path) -> bytes:
    if path.name != "result.json":
        return path.read_bytes()
    told = json.loads(path.read_text())
    kept = {
        key: value for key, value in told.items() if key not in ("versions", "seconds_per_update", "checksum", "files")
    }
    kept["identity"] = {key: value for key, value in told["identity"].items() if "_target_" not in key}
    return json.dumps(kept, sort_keys=True).encode()


if __name__ == "__main__":
    main()
