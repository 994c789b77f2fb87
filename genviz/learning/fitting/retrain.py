"""A classifier that is trained again on other pictures, and what it sees in a class before and after."""

from __future__ import annotations

import copy
import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

import genviz
from genviz.analysis.visualization import visualize
from genviz.callbacks import Visualize
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.files import prepare_folder, put_aside, read_json, set_aside, write_text
from genviz.images.folders import apart
from genviz.images.pictures import read_sound
from genviz.images.sheet import write_sheet
from genviz.learning.data import Damaged
from genviz.learning.fitting import retraining
from genviz.learning.fitting.augmentation import Augmentation
from genviz.learning.fitting.classification import VALIDATION_ACCURACY, Classification
from genviz.learning.fitting.epochs import Epochs
from genviz.learning.fitting.fit import stops
from genviz.learning.fitting.labelled import Labelled, Pictures, Shuffled, loader, updates_of
from genviz.learning.picture_training import Training, counted
from genviz.optimizers.schedules import inverse_time
from genviz.targets.grammar import Target
from genviz.training import build, console, fingerprint, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.checkpoint import differing
from genviz.training.loggers import WandbRun, log_image
from genviz.training.looking import looking
from genviz.training.trainer import close
from genviz.training.verdict import judge

_ACROSS = 7  # pictures of a row of the sheet
_AT_ONCE = 32  # pictures, in a validation
_SHOWN = {"loss": ".3f", "accuracy": ".3f"}
_MEASURES = ("accuracy", "activation", "rank")


class Loop(NamedTuple):
    """What all runs have in common."""

    config: DictConfig
    classifier: FrozenClassifier
    target: Target
    pictures: Labelled
    damaged: Damaged
    program: str
    """The folder of the runs, below the outputs and below the checkpoints."""

    @property
    def folder(self) -> Path:
        """Of the outputs."""
        return Path(self.config.paths.outputs).expanduser() / self.program

    def draw(self, classifier: FrozenClassifier, seed: int, path: Path) -> None:
        """Draw the target as ``classifier`` sees it."""
        how = self.config.drawing
        seen = classifier if how.stretched else retraining.unstretched(classifier)
        visualize(
            seen,
            str(self.target),
            experiment=how.experiment,
            updates=how.updates,
            settings=list(how.settings),
            seeds=seed,
            accelerator="cpu" if seen.device.type == "cpu" else "auto",
        ).save(path)


def retrain(config: DictConfig) -> int:
    """Train the configured classifier again, as often as asked for; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or an earlier call had other settings.
    """
    keep_freed_memory()
    outline = build.sketch(config.classifier)
    target = build.target(config, outline)
    if len(outline.labels) == 1:
        raise genviz.UserError("the network has a single class; genviz retrain takes one that tells several apart")
    pictures = retraining.labelled(config.pictures, outline, retraining.class_of(target))
    seeds = range(config.seed, config.seed + config.runs)
    retraining.check_sound(pictures, config.pictures, hold_out=config.hold_out, repeat=config.repeat, seeds=seeds)
    console.warn(naming.note(config))
    classifier = looking(config)
    name = naming.classifier_name(config) + ("" if config.tag is None else f"-{config.tag}")
    program = f"retrain/{name}/{target.folder}"
    assert isinstance(pictures.pictures, list)
    loop = Loop(config, classifier, target, pictures, Damaged(pictures.pictures), program)
    if not config.resume:
        set_aside(loop.folder)
        set_aside(Path(config.paths.checkpoints).expanduser() / program)
    runs, some = counted(config.runs, "run"), counted(len(pictures.labels), "picture")
    print(f"{name}: {target}, {runs} on {some}, {counted(config.epochs, 'epoch')} at most", flush=True)
    rows = []
    for run in range(config.runs):
        code, row = _run(loop, run)
        if row is None:
            return code
        rows.append(row)
    _finish(loop, rows)
    return 0


def _run(loop: Loop, run: int) -> tuple[int, dict[str, Any] | None]:
    """One of the runs, unless it is done: its exit code, and what it has found."""
    config, classifier, seed = loop.config, loop.classifier, loop.config.seed + run
    folder = loop.folder / f"run-{run:02}"
    root, _ = apart(config.pictures)
    names = [f"{path.relative_to(root)} {path.stat().st_size}" for path in map(Path, loop.pictures.pictures)]
    identity = fingerprint.of_retraining(config, classifier.weights_sha256, seed, names)
    if (row := _done(folder, identity)) is not None:
        return 0, row
    size, memory = classifier.outline.input_size, 1 << 30
    drawn = retraining.parts(loop.pictures, hold_out=config.hold_out, repeat=config.repeat, seed=seed)
    training_pictures, held_out = (Pictures(part, size, memory=memory, damaged=loop.damaged) for part in drawn)
    an_epoch = updates_of(len(training_pictures), config.batch)
    module = _module(config, classifier, seed)
    own = copy.deepcopy(config)
    OmegaConf.set_struct(own, False)
    own.name, own.resume = folder.name, True
    own.validate_every = own.checkpoint_every = an_epoch
    callbacks: list[pl.Callback] = [Epochs(folder / "epochs.csv", an_epoch), *stops(config)]
    if config.every is not None:
        callbacks.append(_watch(loop, seed, folder))
    training = Training(
        own,
        loop.program,
        updates=an_epoch * config.epochs,
        identity=identity,
        shown=_SHOWN,
        callbacks=callbacks,
        apart="tag=NAME",
        starts_over=not config.resume,
    )
    whole = loader(Pictures(loop.pictures, size, memory=memory, damaged=loop.damaged), _AT_ONCE)
    with training.claimed():
        prepare_folder(folder)
        before, after = folder / "before.png", folder / "after.png"
        loop.draw(classifier, seed, before)
        order = Shuffled(len(training_pictures), config.batch, seed, training.updates)
        code = training.run(module, loader(training_pictures, order), loader(held_out, _AT_ONCE))
        if code is not None:
            return code, None
        assert isinstance(module.network, retraining.Scores)
        learned = module.network.frozen().to(classifier.device)
        loop.draw(learned, seed, after)
        seen = {"before": judge(before, classifier, loop.target), "after": judge(after, learned, loop.target)}
        row = {"run": run, "seed": seed, "updates": training.trainer.global_step}
        row["held_out_accuracy"] = round(retraining.recognised(learned, loader(held_out, _AT_ONCE)), 4)
        for when, network in (("before", classifier), ("after", learned)):
            row[f"accuracy_{when}"] = round(retraining.recognised(network, whole), 4)
            row[f"activation_{when}"] = float(f"{seen[when].activation:.6g}")
            row[f"rank_{when}"], row[f"verdict_{when}"] = seen[when].rank, seen[when].verdict
        for logger in training.trainer.loggers:
            for when, path in (("before", before), ("after", after)):
                log_image(logger, when, path, training.trainer.global_step)
            if isinstance(logger, WandbRun):
                logger.summarize(row)
        close(training.trainer.loggers)
        said = {**row, "identity": identity, "genviz": genviz.__version__}
        write_text(training.result, json.dumps(said, indent=2) + "\n")
        training.checkpoint.unlink(missing_ok=True)  # the run is done
    return 0, row


def _module(config: DictConfig, classifier: FrozenClassifier, seed: int) -> Classification:
    pl.seed_everything(seed, verbose=False)
    augmentation, of_validation = Augmentation.of(config.augmentation)
    module = Classification(
        network=retraining.Scores(classifier).cpu(),
        input_space=InputSpace(),
        classes=len(classifier.outline.labels),
        optimizer=build.optimizer(config),
        learning_rate=inverse_time(config.decay),
        augmentation=augmentation,
        of_validation=of_validation,
        seed=seed,
    )
    module.configure_optimizers()  # checks its settings before anything is written
    return module


def _watch(loop: Loop, seed: int, folder: Path) -> Visualize:
    """The callback that draws the network after each epoch."""
    how = loop.config.drawing

    def as_drawn(module: Any) -> FrozenClassifier:
        now: FrozenClassifier = module.network.frozen()
        return now if how.stretched else retraining.unstretched(now)

    return Visualize(
        str(loop.target),
        every=loop.config.every,
        folder=folder / "epochs",
        network=as_drawn,
        at="validation",
        measure=VALIDATION_ACCURACY,
        seed=seed,
        experiment=how.experiment,
        updates=how.updates,
        settings=list(how.settings),
    )


def _done(folder: Path, identity: dict[str, str]) -> dict[str, Any] | None:
    """What a run has found that is done.

    Raises:
        UserError: it had other settings.
    """
    path = folder / "result.json"
    if not path.exists():
        return None
    try:
        said = read_json(path)
        made = said.pop("identity")
        row = {name: said[name] for name in said if name != "genviz"}
        _ = [float(row[f"{what}_{when}"]) for what in _MEASURES for when in ("before", "after")], int(row["run"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        put_aside(path, "is damaged")
        return None
    if changed := differing(made, identity):
        first = changed[0]
        raise genviz.UserError(
            f"{folder} was made with other settings ({first} was {made.get(first)} and is {identity.get(first)}); "
            "tag=NAME keeps both, resume=false starts over (the old files are renamed)"
        )
    whole = all(read_sound(folder / name) is not None for name in ("before.png", "after.png"))
    return row if whole else None


def _finish(loop: Loop, rows: list[dict[str, Any]]) -> None:
    """Write the table and the figure of all runs, and say what they show."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(loop.folder / "runs.csv", text.getvalue())
    tiles = []
    for when in ("before", "after"):
        found = [
            (f"{when} {row['run']}: {row[f'activation_{when}']:.3g}", loop.folder / f"run-{row['run']:02}/{when}.png")
            for row in rows
        ]
        tiles += [found[first : first + _ACROSS] for first in range(0, len(found), _ACROSS)]
    write_sheet(loop.folder / "sheet.png", tiles, 227, least=128)

    def mean(column: str) -> float:
        return sum(row[column] for row in rows) / len(rows)

    print(f"\n{'':20}    before      after")
    for what in _MEASURES:
        print(f"{what:20}{mean(f'{what}_before'):10.4g} {mean(f'{what}_after'):10.4g}")
    print(f"\nsheet  {loop.folder / 'sheet.png'}\ntable  {loop.folder / 'runs.csv'}")
    runs = f"{loop.folder}/run-*/after.png"
    words = shlex.join(["genviz", "trace", f"image={runs}", f"pictures={loop.config.pictures}"])
    print(f"to see which pictures it resembles:  {words}", flush=True)
