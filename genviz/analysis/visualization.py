"""What a network sees, from Python: the same run as on the command line, in a temporary folder."""

from __future__ import annotations

import csv
import shutil
import signal
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch import Tensor, nn

from genviz.analysis.arguments import classifier_of, object_of, seeds_of, settings_of, word_of
from genviz.analysis.class_setup import pictures_of
from genviz.analysis.contributions import resolve
from genviz.analysis.isolation import isolated
from genviz.classifiers.labels import Labels
from genviz.classifiers.metadata import Metadata
from genviz.classifiers.sizes import Size
from genviz.errors import UserError
from genviz.files import atomic_write
from genviz.images.notebook import pictures_html
from genviz.images.pictures import read_image
from genviz.images.sheet import write_sheet
from genviz.interfaces import Classifier, Regularizer
from genviz.targets.selections import find_selections
from genviz.training import build, precision
from genviz.training.batch import Batch
from genviz.training.compiled import CompiledSteps
from genviz.training.configuration import compose
from genviz.training.default_classifier import choose
from genviz.training.parts import MakesGenerator, MakesObjective, MakesOptimizer, Parts
from genviz.training.run import Run
from genviz.training.settings import TrainSettings
from genviz.training.verdict import Verdict

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


class Sheet:
    """Pictures side by side, each under its verdict.

    >>> import genviz
    >>> sheet = genviz.visualize("small", "class:zebra", updates=1, accelerator="cpu").sheet()
    >>> sheet.image.mode
    'RGB'
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image

    def save(self, path: str | Path) -> Path:
        """Write the sheet to ``path``, a .png, .jpg or .webp file; return the path.

        Raises:
            UserError: another suffix, a full disk, or a folder that cannot be written to.
        """
        return _save(self.image, path)

    def _repr_html_(self) -> str:
        return pictures_html([(torch.from_numpy(np.array(self.image)), "")], side=self.image.width)


class Visualization:
    """The result of `visualize`. A notebook shows the pictures, each with its verdict under it.

    Attributes:
        target: what should fire, with selections replaced by filters.
        images: RGB in [0, 1], (n, 3, h, w), read back from the files that were written.
        verdicts: for each image: activation, rank, top classes, and what the objective measures.
        metrics: for each update: loss, score, activation, rank, penalties.

    >>> import genviz
    >>> seen = genviz.visualize("small", "class:zebra", updates=2, accelerator="cpu")
    >>> seen.images.shape[:2], len(seen.metrics)
    (torch.Size([1, 3]), 2)
    """

    def __init__(self, run: Run, verdicts: Sequence[tuple[str, Verdict]], folder: TemporaryDirectory[str]) -> None:
        self._outputs = run.folders.outputs
        weakref.finalize(self, folder.cleanup)
        self._files = [run.folders.outputs / name for name, _ in verdicts]
        self.target = str(run.target)
        self.images: Tensor = torch.cat([read_image(file) for file in self._files])
        self.verdicts = [verdict for _, verdict in verdicts]
        metrics = run.folders.outputs / "metrics.csv"
        rows = csv.DictReader(
            metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []
        )  # none was finite
        self.metrics = [{name: float(value) for name, value in row.items()} for row in rows]

    def save(self, path: str | Path, which: int = 0) -> Path:
        """Write a picture to ``path``, a .png, .jpg or .webp file; return the path.

        A PNG is the file that the verdict is about, byte for byte.

        Raises:
            UserError: there is no such picture, another suffix, a full disk, or a folder that cannot be written to.
        """
        if not -len(self._files) <= which < len(self._files):
            raise UserError(f"which={which}: the pictures are numbered 0 to {len(self._files) - 1}")
        with Image.open(self._files[which]) as image:
            return _save(image, path, as_it_is=self._files[which])

    def video(self, path: str | Path) -> Path:
        """Write the evolution of the pictures to ``path``, an .mp4 file; return the path.

        Raises:
            UserError: another suffix, a full disk, or a folder that cannot be written to.
        """
        path, own = _checked(path, (".mp4",)), self._outputs / "evolution.mp4"
        if not own.exists():
            raise UserError(f"{path}: there is no video; PyAV writes it: pip install av")
        with atomic_write(path) as file, own.open("rb") as made:
            shutil.copyfileobj(made, file)
        return path

    def sheet(self, side: int = 256) -> Sheet:
        """The pictures side by side, ``side`` pixels high at most."""
        path = self._outputs / "sheet.png"
        write_sheet(path, [[(v.verdict, file) for v, file in zip(self.verdicts, self._files, strict=True)]], side)
        with Image.open(path) as image:
            return Sheet(image.copy())

    def _repr_html_(self) -> str:
        pixels = [(255 * image).round().byte().permute(1, 2, 0) for image in self.images]
        told = [f"{self.target}: {verdict.verdict} ({verdict.explanation})" for verdict in self.verdicts]
        return pictures_html(list(zip(pixels, told, strict=True)))

    def __repr__(self) -> str:
        return f"Visualization({self.target}: {', '.join(verdict.verdict for verdict in self.verdicts)})"


def visualize(
    network: str | nn.Module | Classifier,
    target: str,
    *,
    experiment: str | None = None,
    generator: str | MakesGenerator | None = None,
    objective: str | Sequence[str] | MakesObjective | None = None,
    regularizers: str | Sequence[str] | Regularizer | Sequence[Regularizer] | Mapping[str, Regularizer] | None = None,
    transforms: str | Sequence[str] | nn.Module | Sequence[nn.Module] | None = None,
    optimizer: str | MakesOptimizer | None = None,
    updates: int | None = None,
    images: int = 1,
    seeds: int | Sequence[int] = 0,
    settings: str | Sequence[str] = (),
    input_size: Size | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Labels | None = None,
    accelerator: str = "auto",
) -> Visualization:
    """Train a generator until ``target`` fires in ``network``, as ``genviz train`` does with the same settings.

    The process is left as it was: random state, grad mode, warning filters, loggers, and the network itself.

    Args:
        network: a classifier's name, as for ``classifier=``; a `Classifier`; or any module from RGB images
            (n, 3, h, w) to class scores (n, classes).
        target: as on the command line: ``class:harmonica``, ``filter:layer3.0:12``, ``filter:layer3.0:top5:3``.
        experiment: the name of a preset, such as ``fourier_views``.
        generator, objective, regularizers, transforms, optimizer: a name as on the command line, several names, or
            objects; None: those of the experiment, or the defaults. A generator or an objective may also be a function
            that builds it, called with ``streams=``, or with the target and the classifier's outline.
        updates: how many; None: as many as the experiment's.
        images: how many, with the seeds ``seeds``, ``seeds + 1``, ...; each is what it would be alone.
        seeds: the first seed, or one for each image.
        settings: more words of the command line, such as ``"regularizer.code_l2.radius=30"``.
        input_size, mean, std, labels: of a module that does not declare them: the side of its square input, or rows and
            columns, in pixels, the mean and standard deviation of its input with RGB in [0, 1], and the names of its
            classes, as a list, a dict by number, or a file.
        accelerator: Lightning's: auto, cpu, gpu.

    Raises:
        UserError: the target names what the classifier does not have, a setting cannot work, or the module does not
            declare its input.

    >>> import genviz
    >>> seen = genviz.visualize("small", "class:harmonica", updates=2, accelerator="cpu")
    >>> seen
    Visualization(class:harmonica: not reached)
    """
    if not isinstance(target, str):
        raise UserError(f"target={target!r} must be one target, such as 'class:harmonica'; call it once for each")
    own = Metadata(input_size, mean, std, labels)
    several = seeds_of(images, seeds)
    count = images if len(several) == 1 else len(several)
    words = [f"target={target}", f"seed={several[0]}", f"images={count}", f"trainer.accelerator={accelerator}"]
    if experiment is not None:
        words.append(f"experiment={experiment}")
    elif not (generator is None or isinstance(generator, str)):
        words.append("generator=untrained_small")  # whose settings suit any generator
    words += [] if updates is None else [f"updates={updates}"]
    named: dict[str, object] = {"generator": generator, "objective": objective, "regularizer": regularizers}
    named |= {"transform": transforms, "optimizer": optimizer}
    words += [word for group, given in named.items() if (word := word_of(group, given)) is not None]
    objects = [object_of(group, given) for group, given in named.items()]
    objects.append(several if len(several) > 1 else None)
    words += settings_of(settings)
    if isinstance(network, str):
        if any(value is not None for value in own):
            raise UserError("input_size, mean, std and labels are for modules; with a name, use settings=")
        words.append(f"classifier={network}")
    folder = TemporaryDirectory(prefix="genviz-")
    words += ["logger=none", f"paths.outputs={folder.name}", f"paths.checkpoints={folder.name}/checkpoints"]
    with isolated():
        config = compose("train", words)
        classifier = None if isinstance(network, str) else classifier_of(network, own)
        parts = Parts(config, *objects)
        return _visualize(config, classifier, parts, folder)


def _visualize(
    config: DictConfig, classifier: Classifier | None, parts: Parts, folder: TemporaryDirectory[str]
) -> Visualization:
    TrainSettings.check(config)
    precision.choose(config)
    if classifier is None:
        choose(config)
        build.check_targets(config, build.sketch(config.classifier))
        classifier = build.classifier(config.classifier)
    else:
        config.choices.classifier = classifier.weights_source
        config.classifier = OmegaConf.create({"_target_": f"{type(classifier).__module__}.{type(classifier).__name__}"})
    if find_selections(config.target):
        config.target = resolve(classifier, config.target, pictures_of(config, classifier)).text
    target = build.target(config, classifier.outline)
    build.settle(config, target, classifier)
    run = Run(config, target, classifier, build.generator_sha256(config))
    device = classifier.device
    steps = CompiledSteps() if config.compile else None
    batch = Batch([run], parts=parts, steps=steps, ended_by=(signal.SIGINT, signal.SIGTERM))  # others are the caller's
    run.prepare()
    try:
        batch.fit()
        if batch.signal is not None:
            raise KeyboardInterrupt
        (finished,) = batch.finish()
    finally:
        batch.writers.abandon()
        classifier.to(device)
    return Visualization(run, finished.verdicts, folder)


def _checked(path: str | Path, suffixes: Sequence[str]) -> Path:
    path = Path(path).expanduser()
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{path}: the name must end in {' or '.join(suffixes)}")
    return path


def _save(image: Image.Image, path: str | Path, *, as_it_is: Path | None = None) -> Path:
    path = _checked(path, tuple(_FORMATS))
    how = _FORMATS[path.suffix.lower()]
    with atomic_write(path) as file:
        if how == "PNG" and as_it_is is not None:
            file.write(as_it_is.read_bytes())
        else:
            image.convert("RGB").save(file, format=how, **({} if how == "PNG" else {"quality": 95}))
    return path
