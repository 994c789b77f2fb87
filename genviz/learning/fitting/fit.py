"""A classifier's training, from labelled pictures to the file of its weights and how good it is."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor

import genviz
from genviz.classifiers import fitted_networks
from genviz.classifiers.fitted import Facts, FittedClassifier, export
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.sizes import size_of
from genviz.classifiers.stretched import Stretched
from genviz.errors import UserError
from genviz.files import sha256, write_text
from genviz.learning.data import Damaged
from genviz.learning.fitting import sources
from genviz.learning.fitting.augmentation import Augmentation
from genviz.learning.fitting.classification import LOSS, VALIDATION_ACCURACY, VALIDATION_LOSS, Classification
from genviz.learning.fitting.confusion import confusion
from genviz.learning.fitting.epochs import Epochs
from genviz.learning.fitting.labelled import Pictures, Shuffled, loader, updates_of
from genviz.learning.fitting.sources import Source
from genviz.learning.picture_training import Training, counted, folder_of
from genviz.optimizers.schedules import falling, inverse_time
from genviz.training import build, fingerprint
from genviz.training.allocator import keep_freed_memory
from genviz.training.loggers import WandbRun, log_image
from genviz.training.trainer import close

_SHOWN = {"loss": ".3f", "accuracy": ".3f"}
_AT_ONCE = 100  # pictures, in a validation
_FOR_MEANS, _A_PIECE = 4096, 32  # pictures at most, for the mean and the deviation, and those of them in memory


def fit(config: DictConfig) -> int:
    """Train the configured network; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or the checkpoint is of another run.
    """
    keep_freed_memory()
    fitted_networks.check_architecture(config.network.architecture)
    augmentation, of_validation = Augmentation.of(config.augmentation)
    source = sources.read(config.data.root).held_out(config.data.hold_out, config.seed)
    pictures = _pictures(config, source)
    for name, what in (("validation", "held out"), ("test", "to test on")):
        if name in pictures and not pictures[name].labelled.any_decodes():
            count = len(pictures[name])
            raise UserError(f"data.root={config.data.root}: none of its {count} pictures {what} can be decoded")
    facts = _facts(config, source, pictures["training"])
    an_epoch = updates_of(len(pictures["training"]), config.batch)
    updates = an_epoch * config.epochs
    module = _module(config, facts, updates, augmentation, of_validation)
    own = copy.deepcopy(config)
    OmegaConf.set_struct(own, False)
    own.validate_every, own.checkpoint_every = an_epoch, config.checkpoint_every or an_epoch
    training = Training(
        own,
        "fit",
        updates=updates,
        identity=fingerprint.of_fitting(config, updates, sources.digest(source)),
        shown=_SHOWN,
        best=VALIDATION_ACCURACY if config.keep == "best" else None,
        callbacks=[Epochs(folder_of(config, "fit", "outputs") / "epochs.csv", an_epoch), *stops(config)],
    )
    path = training.outputs / f"{config.name}.safetensors"
    if training.is_done(path):
        print(f"{config.name} is done, {training.updates:,} updates: {path} (resume=false starts over)")
        return 0
    _begins(config, source, module, updates)
    whole = loader(pictures["validation"], _AT_ONCE)
    order = Shuffled(len(pictures["training"]), config.batch, config.seed, training.updates)
    with training.claimed():
        code = training.run(module, loader(pictures["training"], order, workers=config.data.workers), whole)
        if code is None:
            best = training.restore_best(module, whole) if config.keep == "best" else training.trainer.global_step
            _finish(config, source, facts, module, training, pictures, best)
    return code or 0


def _pictures(config: DictConfig, source: Source) -> dict[str, Pictures]:
    """The parts of a source, each with the share of the memory that it needs."""
    size = size_of(build.plain(config)["input_size"], "input_size")
    parts = {name: part for name in ("training", "validation", "test") if (part := getattr(source, name)) is not None}
    files = [part.pictures for part in parts.values() if isinstance(part.pictures, list)]
    damaged = Damaged(path for paths in files for path in paths)
    memory = config.data.memory * 2**30 / sum(len(part.labels) for part in parts.values())
    return {
        name: Pictures(part, size, memory=int(memory * len(part.labels)), damaged=damaged)
        for name, part in parts.items()
    }


def _facts(config: DictConfig, source: Source, training: Pictures) -> Facts:
    """What is known of the network without its weights."""
    known, count = source.classes, config.classes or len(source.classes)
    if count < len(known):
        raise UserError(f"classes={count}: the pictures have {len(known)} classes; classes=null takes as many")
    if count > sources.MOST:
        raise UserError(f"classes={count}: a network has {sources.MOST:,} at most")
    labels = (*known, *(str(number) for number in range(len(known), count)))
    found = _mean_and_deviation(training)
    if found is None:
        raise UserError(f"data.root={config.data.root}: none of its pictures can be decoded")
    means, stds = ([round(number, 6) for number in value.tolist()] for value in found)
    space = Stretched(mean=means) if config.normalize == "stretch" else InputSpace(mean=means, std=stds)
    return Facts(config.network.architecture, labels, training.size, space)


def _mean_and_deviation(training: Pictures) -> tuple[Tensor, Tensor] | None:
    """Those of red, green and blue in [0, 1], of a few pictures at a time; None if none can be decoded."""
    numbers = torch.linspace(0, len(training) - 1, min(_FOR_MEANS, len(training))).long()
    count, total, squares = 0, torch.zeros(3, dtype=torch.double), torch.zeros(3, dtype=torch.double)
    for piece in numbers.split(_A_PIECE):
        values = training[piece.tolist()].images.double()  # bytes, whose sums are exact
        count += values[:, 0].numel()
        total += values.sum((0, 2, 3))
        squares += values.square().sum((0, 2, 3))
    if not count:
        return None
    deviation = ((squares - total.square() / count) / (count - 1)).clamp_min(0).sqrt()
    return total / count / 255, (deviation / 255).clamp_min(1e-3)


def _module(
    config: DictConfig, facts: Facts, updates: int, augmentation: Augmentation, of_validation: Augmentation
) -> Classification:
    pl.seed_everything(config.seed, verbose=False)
    network = fitted_networks.build(facts.architecture, len(facts.labels), facts.input_size)
    fall, divided = falling(updates, config.lr_end), inverse_time(config.decay)
    module = Classification(
        network=network.train(),
        input_space=facts.input_space,
        classes=len(facts.labels),
        optimizer=build.optimizer(config),
        learning_rate=lambda update: fall(update) * divided(update),
        augmentation=augmentation,
        of_validation=of_validation,
        seed=config.seed,
    )
    module.configure_optimizers()  # checks its settings before anything is written
    return module.to(memory_format=torch.channels_last)


def stops(config: DictConfig) -> Iterable[pl.Callback]:
    """The callback that ends a training early, if the settings ask for it."""
    if config.stop.patience is None:
        return []
    measure = LOSS if config.stop.measure == "loss" else VALIDATION_LOSS
    return [
        EarlyStopping(measure, min_delta=config.stop.by, patience=config.stop.patience, check_on_train_epoch_end=False)
    ]


def _begins(config: DictConfig, source: Source, module: Classification, updates: int) -> None:
    weights = sum(parameter.numel() for parameter in module.network.parameters())
    assert source.validation is not None
    print(f"{config.name}: {config.network.architecture}, {weights:,} parameters")
    counts = [len(part.labels) for part in (source.training, source.validation)]
    some = counted(counts[0], "picture")
    print(f"{source.name}: {some} of {len(source.classes)} classes to train on, {counts[1]:,} held out")
    made, some = counted(updates, "update"), counted(config.batch, "picture")
    print(f"{made} of {some}, {counted(config.epochs, 'epoch')}", flush=True)


def _finish(
    config: DictConfig,
    source: Source,
    facts: Facts,
    module: Classification,
    training: Training,
    pictures: dict[str, Pictures],
    best: int,
) -> None:
    path, settings = training.outputs / f"{config.name}.safetensors", build.plain(config)
    made = training.trainer.global_step
    names = ("network", "batch", "epochs", "decay", "lr_end", "augmentation", "stop", "optimizer", "normalize", "seed")
    told: dict[str, Any] = {
        "data": source.name,
        "pictures": {name: len(part) for name, part in pictures.items()},
        "updates": made,
        "ended_early": made < training.to_make,
        "kept_update": best,
        "hours": round(training.monitor.seconds / 3600, 3),
        "settings": {name: settings[name] for name in names},
        "genviz": genviz.__version__,
        "torch": torch.__version__,
    }
    export(module.network, path, facts, told=told)
    written = FittedClassifier(weights=str(path))
    parts = {name: pictures[name] for name in ("validation", "test") if name in pictures}
    found = {name: confusion(written, loader(part, _AT_ONCE), source.classes, name) for name, part in parts.items()}
    told["accuracy"] = {name: round(measured.accuracy, 4) for name, measured in found.items()}
    if any(module.of_validation):
        whole = loader(pictures["validation"], _AT_ONCE)
        again = confusion(written, whole, source.classes, "augmented", module.of_validation, config.seed)
        told["accuracy"]["validation, augmented"] = round(again.accuracy, 4)
    export(module.network, path, facts, told=told)  # the same weights, now with how good they are
    drawn = found["validation"].write(training.outputs)
    for logger in training.trainer.loggers:
        for picture in drawn[1:]:
            log_image(logger, "confusion", picture, made)
        if isinstance(logger, WandbRun):
            logger.summarize(told)
    close(training.trainer.loggers)
    write_text(training.result, json.dumps({"weights": path.name, "sha256": sha256(path), **told}, indent=2) + "\n")
    if told["ended_early"]:
        print(f"\nended after {made:,} of {training.to_make:,} updates: the loss fell no further")
    print("\naccuracy of the file:")
    for name, value in told["accuracy"].items():
        print(f"  {value:6.3f}  {name}")
    print(f"confusion  {drawn[-1]}\nepochs     {training.outputs / 'epochs.csv'}")
    print(f"weights    {path}  ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"to use:    target=class:0 classifier=fitted classifier.weights={path}")
    if any(name.isdigit() and name != str(number) for number, name in enumerate(source.classes)):
        first = ", ".join(f"class:{number} is {name}" for number, name in enumerate(source.classes[:3]))
        print(f"classes    are numbered from 0 in the order of their names: {first}", end="")
        print(", ..." if len(source.classes) > 3 else "")
    sys.stdout.flush()
