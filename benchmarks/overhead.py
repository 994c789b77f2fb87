"""What genviz costs over the bare loop: python benchmarks/overhead.py [CASE]

In one process, `genviz.training.train.train` with everything on (Lightning, progress, metrics, W&B offline, snapshots,
video, checkpoints) and a hand-written PyTorch loop over the same modules make 50 updates each in turn. Printed
is the ratio of their seconds, round by round, and the median. Then one process each for the two peaks of memory.

The same loop over torch's own layers makes its 50 updates in turn, too: the networks as one would write them down
(Upsample, Conv2d, ReLU, BatchNorm2d), in torch's default memory format and in channels last.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.commands.spared import spare
from genviz.interfaces import Classifier, Generator, Objective
from genviz.training import build, configuration, precision
from genviz.transforms.transform import FeatureTransform, apart

Look = Callable[[Tensor, Sequence[str]], dict[str, Tensor]]

BLOCK = 50  # updates: one checkpoint, two snapshots and five rows of the logger
CASES = {
    "coupled": ["classifier=vgg16", "classifier.weights=random"],
    "pixels": ["classifier=squeezenet1_0", "classifier.weights=random", "generator=pixels"],
    "pixels_vgg16": ["classifier=vgg16", "classifier.weights=random", "generator=pixels"],
    "fourier_views": ["classifier=squeezenet1_0", "classifier.weights=random", "experiment=fourier_views"],
    "pretrained": ["classifier=vgg16", "classifier.weights=random", "generator=pretrained"],
}
STRAIGHTFORWARD = {"plain": torch.contiguous_format, "plain, channels last": torch.channels_last}
"""Loops over torch's own layers, and their memory formats."""


def bare_updates(
    updates: int,
    generator: Generator,
    look: Look,
    objective: Objective,
    regularizers: Any,
    views: Any,
    optimizer: torch.optim.Optimizer,
) -> float:
    """The loop that one would write by hand; its seconds."""
    begin = time.perf_counter()
    for _ in range(updates):
        sample = generator()
        seen = look(views(sample.images), objective.layers)
        penalty = sum(part.weight * part(sample) for part in regularizers.values())
        loss = (penalty - objective(seen).mean()).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begin


def by_hand(classifier: Classifier, change: FeatureTransform | None) -> Look:
    """How such a loop looks at pictures: with torch's own dropout, where genviz has one."""
    if change is None or (place := change.place(classifier)) is None:
        return classifier
    return partial(classifier.seen_through, layer=place, part=F.dropout)


def straightforward(part: nn.Module, network: str, memory_format: torch.memory_format) -> Any:
    """A copy of a generator or a classifier whose ``network`` is of torch's own layers, in ``memory_format``.

    A generator without a network stays as it is.
    """
    copied = copy.deepcopy(part)
    if not hasattr(copied, network):
        return copied
    for layer in copied.modules():
        for kind in (nn.Conv2d, nn.Upsample):
            if isinstance(layer, kind):  # ours have the same parameters and settings
                layer.__class__ = kind
    copied.to(memory_format=memory_format)  # type: ignore[call-overload]
    copied.get_submodule(network).register_forward_pre_hook(
        lambda _, inputs: (inputs[0].contiguous(memory_format=memory_format),)
    )
    return copied


def time_in_turn(case: str, rounds: int) -> None:
    """Print the ratio of our seconds to each other loop's, and the medians."""
    import pytorch_lightning as pl

    from genviz.training.train import train

    class InTurn(pl.Callback):
        """After each of our blocks of updates, the other loops'."""

        def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:  # noqa: ARG002
            parts = {"bare": (copy.deepcopy(pl_module.generator), pl_module.classifier)}
            for name, layout in STRAIGHTFORWARD.items():
                generator = straightforward(pl_module.generator, "layers", layout)
                parts[name] = generator, straightforward(pl_module.classifier, "network", layout)
            rest = (pl_module.objective, pl_module.regularizers, pl_module.transforms)
            self.loops = {
                name: (
                    generator,
                    by_hand(classifier, pl_module.in_features),
                    *rest,
                    pl_module.optimizer(trainable(generator)),
                )
                for name, (generator, classifier) in parts.items()
            }
            self.ratios: dict[str, list[float]] = {name: [] for name in self.loops}
            self.begin = time.perf_counter()

        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:  # noqa: ARG002
            if trainer.global_step % BLOCK:
                return
            ours = time.perf_counter() - self.begin
            first = trainer.global_step == BLOCK  # a warm-up of all
            note = " (warm-up, not counted)" if first else ""
            print(f"\n{case}: ours {ours / BLOCK:.4f} s{note}")
            for name, loop in self.loops.items():
                theirs = bare_updates(BLOCK, *loop)
                if not first:
                    self.ratios[name].append(ours / theirs)
                print(f"{case}: {name} {theirs / BLOCK:.4f} s, ratio {ours / theirs:.3f}{note}")
            self.begin = time.perf_counter()

    in_turn = InTurn()
    with tempfile.TemporaryDirectory() as folder:
        config = configuration.compose("train", overrides(case, BLOCK * (rounds + 1), Path(folder)))
        train(config, build.target(config, build.sketch(config.classifier)), callbacks=[in_turn])
    for name, ratios in in_turn.ratios.items():
        median = statistics.median(ratios)
        print(f"{case}: ours / {name}: median ratio {median:.3f} of {rounds} rounds of {BLOCK} updates")


def trainable(generator: nn.Module) -> list[nn.Parameter]:
    """What of it is trained."""
    return [parameter for parameter in generator.parameters() if parameter.requires_grad]


def time_autoencoder(folder: str, rounds: int) -> None:
    """The same for pretrain.py on the pictures of ``folder``; the bare loop has one batch, in memory."""
    import pytorch_lightning as pl

    from genviz.learning.pretraining.pretrain import pretrain

    class InTurn(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:  # noqa: ARG002
            self.ratios: list[float] = []
            self.seconds = 0.0
            self.begin = time.perf_counter()

        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, index: int) -> None:  # noqa: ARG002
            if trainer.global_step % BLOCK:
                return
            ours = time.perf_counter() - self.begin
            model = copy.deepcopy((pl_module.encoder, pl_module.decoder))
            optimizer = pl_module.optimizer([parameter for part in model for parameter in part.parameters()])
            images, mixed = batch.float() / 255, trainer.precision == "bf16-mixed"
            begin = time.perf_counter()
            for _ in range(BLOCK):
                with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed):
                    noisy = images + pl_module.sigma * torch.randn_like(images)
                    noisy = ((noisy - pl_module.mean) / pl_module.std).contiguous(memory_format=torch.channels_last)
                    code = model[0](noisy).unflatten(1, model[1].code_shape)
                    values = model[1](code.contiguous(memory_format=torch.channels_last)).float()
                    loss = torch.nn.functional.mse_loss(values * pl_module.std + pl_module.mean, images)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            theirs = time.perf_counter() - begin
            if trainer.global_step > BLOCK:  # a warm-up of both
                self.ratios.append(ours / theirs)
            print(f"\nautoencoder: ours {ours / BLOCK:.4f} s, bare {theirs / BLOCK:.4f} s, ratio {ours / theirs:.3f}")
            self.begin = time.perf_counter()

    in_turn = InTurn()
    with tempfile.TemporaryDirectory() as scratch:
        places = [f"paths.outputs={scratch}/outputs", f"paths.checkpoints={scratch}/checkpoints"]
        updates = BLOCK * (rounds + 1)
        words = [f"data.root={folder}", f"updates={updates}", f"validate_every={updates}"]
        config = configuration.compose("pretrain", [*words, *places])
        precision.choose(config)
        pretrain(config, callbacks=[in_turn])
    print(f"\nautoencoder: median ratio {statistics.median(in_turn.ratios):.3f} of {rounds} rounds of {BLOCK} updates")
    print(f"autoencoder: peak memory {_peak_megabytes():.0f} MB, with the bare loop's networks")


def peak(case: str, who: str, updates: int = 20) -> None:
    """Make some updates and print this process's peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        config = configuration.compose("train", overrides(case, updates, Path(folder)))
        outline = build.sketch(config.classifier)
        target = build.target(config, outline)
        if who == "ours":
            spare()  # as the command does
            from genviz.training.train import train

            train(config, target)
        else:
            classifier = build.classifier(config.classifier)
            build.settle(config, target, classifier)
            generator = build.generator(config, build.streams(config))
            views, change = apart(build.transforms(config))
            objective = build.objective(config, target, outline)
            objective.remember(classifier, generator.image_size)
            couple = by_hand(classifier, change), objective, build.regularizers(config)
            bare_updates(updates, generator, *couple, views, build.optimizer(config)(trainable(generator)))
    print(f"peak {_peak_megabytes():.0f}")


def _peak_megabytes() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # rusage counts the parent's memory at the fork
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def overrides(case: str, updates: int, folder: Path) -> list[str]:
    """The command line of a case."""
    places = [f"paths.outputs={folder}/outputs", f"paths.checkpoints={folder}/checkpoints"]
    return ["target=class:593", *CASES[case], f"updates={updates}", "objective.activation.warm_up=1", *places]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "case", nargs="?", choices=[*CASES, "autoencoder"], help="one of them; without, all that train.py does"
    )
    parser.add_argument("--pictures", help="the autoencoder's folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", choices=["ours", "bare"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case == "autoencoder":
        time_autoencoder(arguments.pictures, arguments.rounds)
        return
    for case in [arguments.case] if arguments.case else CASES:
        if arguments.peak:
            peak(case, arguments.peak)
            continue
        time_in_turn(case, arguments.rounds)
        peaks = {}
        for who in ("ours", "bare"):
            command = [sys.executable, __file__, case, "--peak", who]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            peaks[who] = float(printed.rsplit("peak ", 1)[1])
        ratio = peaks["ours"] / peaks["bare"]
        print(f"{case}: peak memory ours {peaks['ours']:.0f} MB, bare {peaks['bare']:.0f} MB, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
