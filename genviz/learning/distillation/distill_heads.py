"""A distillation of heads on a frozen network, from folders of pictures to a file of heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.headed import HeadedClassifier, cut, read_heads
from genviz.classifiers.heads import HeadsFile
from genviz.errors import UserError
from genviz.interfaces import SCORES
from genviz.learning import picture_folders
from genviz.learning.data import Batches, Damaged
from genviz.learning.distillation import student
from genviz.learning.distillation.agreement import Agreements
from genviz.learning.distillation.bank import Bank, Epochs
from genviz.learning.distillation.banks import Banks
from genviz.learning.distillation.head_distillation import Course, HeadDistillation
from genviz.learning.distillation.lessons import Lessons
from genviz.learning.distillation.teachers import Teachers
from genviz.learning.picture_folders import Folder
from genviz.learning.picture_training import Training
from genviz.training import build, fingerprint

_SHOWN = {"loss": ".2f", "divergence": ".3f"}
_TOGETHER = 256  # held-out lessons in a batch
_KINDS: dict[str, tuple[Any, str]] = {
    "seed": (int | None, "a whole number, or null"),
    "feature_noise": (int | float | None, "a number from 0 up, or null"),
    "share": (int | float, "a share from 0 to 1"),
}
"""What a head's settings have to be, for those that its constructor does not check."""


def distill(config: DictConfig) -> int:
    """Train heads on their teacher; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or the checkpoint is of another run.
    """
    folders = picture_folders.folders(config)
    teachers, trunk = _teachers(config), build.classifier(config.student.trunk)
    if not trunk.architecture:
        raise UserError("student.trunk: heads need one of torchvision's networks, or embedded, VGG16's convolutions")
    sha256 = {"teacher": teachers.sha256, "student.trunk": trunk.trunk_sha256}
    training = Training(
        config,
        "distill",
        updates=config.updates,
        identity=fingerprint.of_distillation(config, sha256, picture_folders.names(folders)) | _of_heads(config),
        shown=_SHOWN,
    )
    path = training.outputs / f"{config.name}.safetensors"
    if training.is_done(path):
        print(f"{config.name} is done, {training.updates:,} updates: {path} (resume=false starts over)")
        return 0
    module = _module(config, teachers, trunk, [folder.name for folder in folders])
    damaged = Damaged(path for folder in folders for path in (*folder.training, *folder.held_out))
    _begins(config, folders, module)
    with training.claimed():
        batches, held_out = _batches(config, folders, module.lessons, training, damaged)
        pl.seed_everything(config.seed, verbose=False)  # however much filling a bank has drawn
        code = training.run(module, batches, held_out)
        if code is None:
            _finish(config, folders, module, training, damaged)
    return code or 0


def _module(config: DictConfig, teachers: Teachers, trunk: FrozenClassifier, held_out: list[str]) -> HeadDistillation:
    settings = build.plain(config)
    layers, heads = settings["student"]["layers"], settings["student"]["heads"]
    begin = None
    if isinstance(heads, str) and isinstance(layers, list):
        known, begin, _ = read_heads(heads)
        _check_begin(known, heads, layers, trunk)
        heads = [{"hidden": shape.hidden, "kernel": shape.kernel, "pooling": shape.pooling} for shape in known.shapes]
    if not isinstance(layers, list) or not isinstance(heads, list) or not all(isinstance(head, dict) for head in heads):
        raise UserError(
            "student.layers is a list of layers, [pool5]; student.heads is a list of heads, [{hidden: 2048}], or a "
            "file of heads to train further; default: those that come with genviz"
        )
    distillation = settings["distillation"]
    seen = {name: distillation.pop(name) for name in ("sizes", "mix", "noise")}
    lessons = build.make(
        {"_target_": "genviz.learning.distillation.lessons.Lessons", **seen},
        "distillation",
        trunk=trunk,
        layers=layers,
        teachers=teachers,
        examiners=_teachers(config, input_size=None),
        final_size=config.student.input_size,
    )
    module = build.make(
        {"_target_": "genviz.learning.distillation.head_distillation.HeadDistillation", **distillation},
        "distillation",
        lessons=lessons,
        courses=[_course(number, head) for number, head in enumerate(heads)],
        begin=begin,
        optimizer=build.optimizer(config),
        updates=config.updates,
        seed=config.seed,
        held_out=held_out,
    )
    assert isinstance(module, HeadDistillation)
    cut(trunk.architecture, lessons.layers, module.shapes)  # as the file will be read
    module.configure_optimizers()  # checks its settings before anything is written
    return module


def _of_heads(config: DictConfig) -> dict[str, str]:
    """The hash of the heads to train further, wherever they lie."""
    given = config.student.heads
    return {"student.heads": f"sha256 {read_heads(given)[2][:16]}"} if isinstance(given, str) else {}


def _check_begin(known: HeadsFile, heads: str, layers: list[Any], trunk: FrozenClassifier) -> None:
    if (known.trunk_sha256, list(known.layers)) != (trunk.trunk_sha256, layers):
        here = f"{', '.join(map(str, layers))} of {trunk.architecture} (sha256 {trunk.trunk_sha256[:8]})"
        there = f"{', '.join(known.layers)} of {known.architecture} (sha256 {known.trunk_sha256[:8]})"
        raise UserError(f"student.heads={heads}: these heads stand on {there}, not on {here}")


def _course(number: int, settings: dict[str, Any]) -> Course:
    if unknown := [name for name in settings if name not in Course._fields]:
        raise UserError(f"student.heads[{number}] has no setting {unknown[0]}; a head has {', '.join(Course._fields)}")
    for name in settings.keys() & _KINDS.keys():
        value, (kinds, what) = settings[name], _KINDS[name]
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise UserError(f"student.heads[{number}].{name}={'null' if value is None else value} must be {what}")
    return Course(**settings)


def _batches(
    config: DictConfig, folders: Sequence[Folder], lessons: Lessons, training: Training, damaged: Damaged
) -> tuple[DataLoader[Any], list[DataLoader[Any]]]:
    """The data for training and for validation: lessons from banks, or crops and pictures."""
    if config.data.crops is None:
        numbers = Batches(training.updates, config.batch)
        size = lessons.teachers.size
        crops = picture_folders.crops(config, folders, numbers, size=size, shorter=256, damaged=damaged)
        return crops, [student.whole(folder, lessons.examiners.size, damaged) for folder in folders]
    banks = Banks(config, folders, lessons.to(training.trainer.strategy.root_device), training, damaged)
    bank = banks.of_crops()
    order = Epochs(bank.groups(), config.batch, config.seed, training.updates)
    own = torch.Generator()
    whole = [banks.of_whole(folder) for folder in folders]
    return _loader(bank, order, own), [_loader(held_out, _in_order(held_out), own) for held_out in whole]


def _loader(bank: Bank, batches: Any, generator: torch.Generator) -> DataLoader[Any]:
    return DataLoader(bank, sampler=batches, batch_size=None, generator=generator)


def _in_order(bank: Bank) -> list[list[int]]:
    numbers = list(range(len(bank)))
    return [numbers[place : place + _TOGETHER] for place in range(0, len(numbers), _TOGETHER)]


def _begins(config: DictConfig, folders: Sequence[Folder], module: HeadDistillation) -> None:
    weights = sum(parameter.numel() for parameter in module.heads.parameters())
    lessons = module.lessons
    heads = "a head" if len(module.heads) == 1 else f"{len(module.heads)} heads"
    print(
        f"{config.name}: {heads} of {weights:,} parameters on {lessons.channels:,} channels of "
        f"{', '.join(lessons.layers)} of {lessons.trunk.architecture}, taught by {_called(config, lessons.teachers)}"
    )
    print(*folders, sep="\n", flush=True)


def _teachers(config: DictConfig, **changed: Any) -> Teachers:
    """The configured teachers, with these settings ``changed``."""
    settings = build.plain(config)
    groups = [settings[name] for name in ("teacher", "second_teacher") if name in settings]
    return Teachers([build.classifier({**group, **changed}) for group in groups])


def _called(config: DictConfig, teachers: Teachers) -> str:
    chosen = (config.choices.teacher, config.choices.second_teacher)
    names = []
    for classifier, choice in zip(teachers.classifiers, chosen, strict=False):
        assert isinstance(classifier, FrozenClassifier)
        name, source = str(classifier.architecture or choice), classifier.weights_source
        names.append(name if name in source else f"{name} ({source})")
    return " and ".join(names)


def _finish(
    config: DictConfig, folders: Sequence[Folder], module: HeadDistillation, training: Training, damaged: Damaged
) -> None:
    module = module.cpu()
    lessons, path = module.lessons, training.outputs / f"{config.name}.safetensors"
    trunk = lessons.trunk
    facts = student.facts(
        config,
        folders,
        training,
        teacher=_called(config, lessons.teachers),
        teacher_sha256=lessons.teachers.sha256,
    )
    given = _of_heads(config).get("student.heads")
    facts |= {"crops": config.data.crops, "heads": given or build.plain(config)["student"]["heads"]}
    space = trunk.input_space.settings
    file = HeadsFile(
        module.shapes,
        trunk.architecture,
        lessons.layers,
        trunk.trunk_sha256,
        space,
        config.student.input_size,
        facts,
    )
    heads = module.finished()
    file.write(heads, path)
    weights, labels = str(config.student.trunk.get("weights", "default")), list(lessons.teachers.labels)
    written = HeadedClassifier(heads=str(path), weights=weights, labels=labels)
    facts["agreement"] = _agreement(written, module, folders, damaged)
    file.write(heads, path)  # the same weights, now with how good they are
    student.tell(training, path, facts)
    of = "" if weights == "default" else f" classifier.weights={weights}"
    student.tell_use(training.outputs, labels, f"classifier=embedded classifier.heads={path}{of}")


@torch.no_grad()
def _agreement(
    written: HeadedClassifier, module: HeadDistillation, folders: Sequence[Folder], damaged: Damaged
) -> dict[str, float]:
    """The agreement of each head in the file, and of their mean, with the teacher."""
    teachers = module.lessons.examiners
    names = [f"{folder.name}/{name}" for folder in folders for name in module.students]
    measured = Agreements(module.lessons.classes, names)
    features, heads = "heads.input", cast(Any, written.network).heads
    for folder in folders:
        pictures = student.whole(folder, teachers.size, damaged)
        for batch in tqdm(pictures, desc="measuring the file", unit="batch", leave=False):
            if not len(batch):
                continue
            images = batch.float() / 255
            seen, expected = written(images, [features, SCORES]), teachers(images)
            answers = [seen[SCORES], *(head(seen[features]) for head in heads)]
            for name, scores in zip(module.students, answers, strict=True):
                measured.add(f"{folder.name}/{name}", scores, expected)
    return {name: round(float(value), 4) for name, value in measured.take().items()}
