"""What a card does with many targets, beside the bare loop: python benchmarks/gpu.py [--out FILE.json] [--only CASE]

In one process, on VGG16 with random weights, for each case: seconds an update of a hand-written PyTorch loop over the
same modules in float32, TF32 and bfloat16 autocast, and of genviz with everything on (Lightning, progress, metrics,
snapshots, videos, checkpoints), as it is and compiled; how long a batch takes to begin and to end; and the share of the
bare bfloat16 loop's time. Then 20 updates in which torch raises an error if the host waits for the card, a picture made
on the card and on the CPU, and how long a thousand classes of 1,200 updates would take. It is written as a table and,
with the device's name, as JSON. It takes under eight minutes on an H100. ``--tiny``: a small network and few updates,
on any device, to try the script.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout's, where genviz is not installed

import genviz  # noqa: F401  # isort: skip - before what imports torchvision
import pytorch_lightning as pl
from overhead import by_hand

from genviz.coupling import Coupling
from genviz.interfaces import Classifier
from genviz.sweeps.queue import Waiting
from genviz.training import build, configuration
from genviz.training.batch import Batch
from genviz.training.compiled import CompiledSteps
from genviz.training.precision import tf32
from genviz.training.run import Run

VGG16 = ["classifier=vgg16", "classifier.weights=random"]
SMALL = ["classifier=small", "classifier.weights=random", "classifier.input_size=32"]
DECODER = ["generator.widths=[16,8,8]", "generator.kernels=[2,3,3]"]
CLASSES, UPDATES = 1000, 1200


class Case(NamedTuple):
    """A setting, and how many targets it has at once."""

    words: list[str]
    targets: int
    tiny: list[str]


CASES = {
    "pretrained, 1": Case(["generator=pretrained"], 1, []),
    "pretrained, 32": Case(["generator=pretrained"], 32, []),
    "pretrained, 128": Case(["generator=pretrained"], 128, []),
    "untrained, 16": Case(["generator=untrained"], 16, DECODER),
    "fourier_views, 32": Case(["experiment=fourier_views"], 32, ["generator.size=[32,32]"]),
}
PRECISIONS = ("fp32", "tf32", "bf16")


class Timer(pl.Callback):
    """Times the updates after the first ones, without those in which something is compiled."""

    def __init__(self, first: int) -> None:
        self.first, self.begun, self.since = first, 0.0, 0.0
        self.took: list[float] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        synchronize()
        self.begun = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step >= self.first and trainer.global_step % 10 == 0:  # a snapshot and a checkpoint
            synchronize()
            now = time.perf_counter()
            self.took += [(now - self.since) / 10] if self.since else []
            self.since = now


def synchronize() -> None:
    """Wait for the card."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def runs_of(case: Case, folder: str, updates: int, *, tiny: bool, classifier: Classifier | None) -> list[Run]:
    """The runs of a batch of the first classes."""
    words = [*(SMALL if tiny else VGG16), *case.words, *(case.tiny if tiny else [])]
    places = [f"paths.outputs={folder}/outputs", f"paths.checkpoints={folder}/checkpoints"]
    every = ["snapshot_every=10", "checkpoint_every=10", "log_every=10", "median=1", "logger=none"]
    words = ["target=class:0", *words, *every, f"updates={updates}", *places]
    config = configuration.compose("train", words)
    classifier = classifier or build.classifier(config.classifier)
    outline = classifier.outline
    targets = [build.parse_target(f"class:{number}", outline.labels, outline.layers) for number in range(case.targets)]
    waiting = Waiting(config, targets, classifier)
    return [waiting.run(target) for target in targets]


def bare(coupling: Coupling, precision: str, updates: int) -> float:
    """Seconds an update of the loop that one would write by hand, after a few that are not counted."""
    made = coupling.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made
    device = coupling.device.type
    coupling.streams.device = coupling.device
    look = by_hand(coupling.classifier, coupling.in_features)
    begun = 0.0
    with tf32(allowed=precision != "fp32"):
        for update in range(-3, updates):
            if update == 0:
                synchronize()
                begun = time.perf_counter()
            with torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext():
                sample = coupling.generator()
                seen = look(coupling.transforms(sample.images), coupling.objective.layers)
                scores = coupling.objective(seen).unflatten(0, (len(sample.images), -1)).mean(1)
                penalties = [part.weight * part(sample) for part in coupling.regularizers.values()]
                loss = (sum(penalties) - scores).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        synchronize()
    return (time.perf_counter() - begun) / updates


def ours(runs: list[Run], steps: CompiledSteps | None) -> dict[str, float]:
    """Seconds an update, and of the beginning and the end of a batch."""
    synchronize()
    begun = time.perf_counter()
    timer = Timer(first=20)
    batch = Batch(runs, callbacks=[timer], title="genviz", steps=steps)
    for run in runs:
        run.prepare()
    batch.fit()
    synchronize()
    ended = time.perf_counter()
    batch.finish()
    batch.writers.close()
    end = time.perf_counter() - ended
    return {"update": statistics.median(timer.took), "begin": timer.begun - begun, "end": end}


def measured(name: str, case: Case, *, tiny: bool, compiles: bool) -> dict[str, Any]:
    """All that is measured of a case."""
    updates = 40 if tiny else 60
    row: dict[str, Any] = {"case": name}
    with tempfile.TemporaryDirectory() as folder:
        runs = runs_of(case, folder, updates, tiny=tiny, classifier=None)
        classifier = runs[0].classifier
        coupling = Batch(runs).coupling.to("cuda" if torch.cuda.is_available() else "cpu")
        for precision in PRECISIONS:
            row[f"bare {precision}"] = bare(coupling, precision, 3 if tiny else 20)
        del coupling
        for kind, steps in {"genviz": None, **({"compiled": CompiledSteps()} if compiles else {})}.items():
            runs = runs_of(case, f"{folder}/{kind}", updates, tiny=tiny, classifier=classifier)
            found = ours(runs, steps)
            row |= {kind: found["update"], f"{kind}, begin": found["begin"], f"{kind}, end": found["end"]}
            row[f"{kind} / bare bf16"] = found["update"] / row["bare bf16"]
    if torch.cuda.is_available():
        row["memory, GB"] = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.reset_peak_memory_stats()
    return row


@contextmanager
def unwaiting() -> Iterator[None]:
    """In this context, torch raises an error where the host waits for the card."""
    if not torch.cuda.is_available():
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def waits(case: Case, *, tiny: bool) -> str:
    """Make 20 updates in which the host must not wait; 'never', or where it did."""
    with tempfile.TemporaryDirectory() as folder:
        coupling = Batch(runs_of(case, folder, 1, tiny=tiny, classifier=None)).coupling
    coupling = coupling.to("cuda" if torch.cuda.is_available() else "cpu")
    made = coupling.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made

    def update() -> None:
        optimizer.zero_grad()
        coupling.training_step(None, 0)["loss"].backward()
        optimizer.step()

    update()  # the first copies what later ones keep
    coupling.check_gradient()
    try:
        with unwaiting():
            for _ in range(20):
                update()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return "never"


def differs(*, tiny: bool) -> float:
    """The largest difference of a picture after 5 updates in float32 on the card from that on the CPU, in [0, 1]."""
    pictures = []
    for device in ("cpu", "cuda" if torch.cuda.is_available() else "cpu"):
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            case = Case(["generator=pixels", "generator.start=noise", "autocast=false"], 1, [])
            coupling = Batch(runs_of(case, folder, 1, tiny=tiny, classifier=None)).coupling.to(device)
        made = coupling.configure_optimizers()
        optimizer = made["optimizer"] if isinstance(made, dict) else made
        with tf32(allowed=False):
            for _ in range(5):
                optimizer.zero_grad()
                coupling.training_step(None, 0)["loss"].backward()
                optimizer.step()
        pictures.append(coupling.settled().cpu())
    return float((pictures[0] - pictures[1]).abs().max())


def told(rows: list[dict[str, Any]]) -> str:
    """The rows as a table, in Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    for row in rows:
        values = (row.get(name, "") for name in names)
        lines.append(" | ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    tiny, begun = arguments.tiny, time.perf_counter()
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    result: dict[str, Any] = {"device": card, "torch": torch.__version__, "rows": []}

    def keep() -> None:  # after each case, as the time may run out
        result["seconds"] = time.perf_counter() - begun
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")

    cases = {name: case for name, case in CASES.items() if arguments.only in (None, name)}
    cases = {name: case._replace(targets=min(case.targets, 3)) for name, case in cases.items()} if tiny else cases
    checks: dict[str, Callable[[], Any]] = {
        **{f"waits, {name}": lambda case=case: waits(case, tiny=tiny) for name, case in cases.items()},  # type: ignore[misc]
        "card and CPU differ by": lambda: differs(tiny=tiny),
    }
    for name, check in checks.items():
        try:
            result[name] = check()
        except Exception as error:
            result[name] = f"{type(error).__name__}: {error}"
        print(f"{name}: {result[name]}", flush=True)
        keep()
    for name, case in cases.items():
        try:
            row = measured(name, case, tiny=tiny, compiles=not (arguments.no_compile or tiny))
        except Exception as error:  # the other cases need not suffer
            row = {"case": name, "error": " ".join(f"{type(error).__name__}: {error}".split())[:200]}
            torch.cuda.empty_cache()
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
        result["rows"].append(row)
        numbers = [f"{key} {value:.4g}" for key, value in row.items() if isinstance(value, float)]
        print(", ".join(numbers or [row.get("error", "")]) + f": {name}", flush=True)
        keep()
    print(f"\n{told(result['rows'])}\n")
    row = next((row for row in result["rows"] if row["case"] == "pretrained, 128"), {})
    if row and not tiny:
        batches = math.ceil(CLASSES / cases["pretrained, 128"].targets)
        for kind in ("genviz", "compiled"):
            if kind in row:
                seconds = batches * (row[f"{kind}, begin"] + UPDATES * row[kind] + row[f"{kind}, end"])
                result[f"1,000 classes, {kind}, minutes"] = seconds / 60
                print(f"a thousand classes, {UPDATES} updates each, {kind}: {seconds / 60:.1f} minutes")
    keep()
    print(f"{card}: {result['seconds']:.0f} s; {arguments.out}", file=sys.stderr)
    sys.exit(any("error" in row for row in result["rows"]))


if __name__ == "__main__":
    main()
