"""Explanations as files: a picture and an array for each map, a sheet, their numbers, a run in W&B."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm.auto import tqdm

import genviz
from genviz.analysis.class_setup import looking, resolve
from genviz.analysis.explanation import NO_CLASSES, Explained, Explainer, map_layer, pooled_layer, value_of
from genviz.analysis.explanation_settings import TOP1, ExplainSettings
from genviz.analysis.picture_report import neighbours, strongest_filters
from genviz.attribution.cam import has_places
from genviz.attribution.faithfulness import Faithfulness
from genviz.attribution.methods import ALL, Settings, find_methods
from genviz.attribution.score import class_of
from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.files import atomic_write, prepare_folder, write_text
from genviz.images.folders import find_pictures
from genviz.images.given import decoded, folder_for, given_pictures, named, readable
from genviz.images.maps import with_bar
from genviz.images.pictures import display, read_sound, write_png
from genviz.images.sheet import write_sheet
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.reports.picture_page import page
from genviz.retrieval.features import Features
from genviz.targets.grammar import Target
from genviz.targets.probabilities import ending_of, probabilities
from genviz.targets.selections import find_selections
from genviz.training import build, console, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.logged_pictures import LoggedPictures

_ROWS, _SIDE = 25, 192  # of a sheet: pictures, and pixels
_TOP = 5


def explain(config: DictConfig) -> int:
    """Explain each picture by each method, write the maps and print how far to believe them; return the exit code.

    Raises:
        UserError: a setting cannot work, or there is no picture.
    """
    keep_freed_memory()
    names = ExplainSettings.names(build.plain(config)["method"])
    methods, files = find_methods(names), given_pictures(build.plain(config)["image"])
    outline = build.sketch(config.classifier)
    if config.target is None and not outline.labels:
        raise UserError(NO_CLASSES)
    method_settings(config, outline, _target(config, outline))  # a wrong one need not wait for the network
    if config.data is not None:
        find_pictures(config.data, "data")
    console.warn(naming.note(config))
    if config.target is not None and find_selections(config.target):
        resolve(config)
    parsed = _target(config, outline)
    if parsed is not None and config.measure not in (None, "score") and class_of(parsed) is None:
        raise UserError(f"measure={config.measure}: {parsed} is not a class, and only classes have a probability")
    settings = method_settings(config, outline, parsed)
    explainer = Explainer(
        looking(config),
        methods,
        settings,
        steps=config.steps,
        measure=config.measure,
        tolerant=any(name.strip() == ALL for name in names),
    )
    text = TOP1 if config.target is None else str(config.target)
    outputs = Path(config.paths.outputs).expanduser()
    folder = outputs / "explain" / naming.classifier_name(config) / (TOP1 if parsed is None else parsed.folder)
    prepare_folder(folder)
    about = {"classifier": naming.classifier_name(config), "weights": explainer.classifier.weights_source}
    about |= {"weights_sha256": explainer.classifier.weights_sha256}
    known: dict[str, Features] = {}
    taken: list[str] = []
    told: list[dict[str, Any]] = []
    rows: list[list[tuple[str, Path]]] = []
    with (
        LoggedPictures(config, folder, f"{text} in {readable(files[0].name)}") as logged,
        tqdm(total=len(files) * len(methods), unit="map", delay=2, dynamic_ncols=True) as bar,
    ):
        for number, picture in decoded(files, outline.input_size):
            name = folder_for(folder, named([files[number]])[0], files[number], taken).name
            taken.append(name)
            image = picture.to(explainer.classifier.device)
            bar.set_description(name, refresh=False)
            facts, row = _one(explainer, image, text, folder / name, len(told) < config.checked, config.bar, bar)
            bar.update((number + 1) * len(methods) - bar.n)  # those left out, too
            told.append({"picture": name, "file": readable(files[number])} | facts)
            _write_page(config, explainer, image, folder / name, about | told[-1], known)
            rows.append(row)
            if config.logger and len(row) > 1:
                write_sheet(folder / name / "row.png", [row], _SIDE)
                logged.log({name: folder / name / "row.png"})
    if not told:
        raise UserError(f"image={config.image}: none of the {len(files)} pictures can be decoded")
    left = {"target": text, "genviz": genviz.__version__, "left_out": explainer.left_out}
    write_text(folder / "explanations.json", json.dumps(about | left | {"pictures": told}, indent=2) + "\n")
    sheets = _sheets(folder, rows)
    for name, why in explainer.left_out.items():
        print(f"{name} left out: {why}")
    print(f"\nsheet       {sheets[0]}\npages       {folder}/*/report.html\nnumbers     {folder / 'explanations.json'}")
    print(f"run         {logged.where}", flush=True)
    return 0


def method_settings(config: DictConfig, outline: Outline, target: Target | None) -> Settings:
    """The configured settings of the methods.

    Raises:
        UserError: there is no such layer, or it has no positions.
    """
    layer = map_layer(outline, target, config.layer)
    if config.layer is not None and layer is not None and not has_places(layer):
        raise UserError(f"layer={config.layer} has no positions to make a map of; choose a convolution, or its ReLU")
    integral, smooth = config.integrated_gradients, config.smoothgrad
    return Settings(
        *(layer, pooled_layer(outline, target), config.occlusion.size, config.occlusion.stride, config.occlusion.fill),
        *(integral.steps, integral.baseline, smooth.samples, smooth.sigma, config.seed, config.at_once),
    )


def _target(config: DictConfig, outline: Outline) -> Target | None:
    """The configured target; None for `TOP1`, and for one whose filters are still to be found."""
    if config.target is None:
        return None
    if find_selections(config.target):
        build.check_targets(config, outline)
        return None
    return build.target(config, outline)


def _one(
    explainer: Explainer, image: Tensor, text: str, folder: Path, checked: bool, bar: bool, progress: tqdm[Any]
) -> tuple[dict[str, Any], list[tuple[str, Path]]]:
    """Explain one picture (1, 3, h, w); its facts, and its row of the sheet."""
    prepare_folder(folder)
    target = explainer.target(text, image)
    best = _top(explainer.classifier, image)
    shown = display(image[0]).cpu()
    _clear_of_others(folder, shown)
    write_png(folder / "picture.png", shown, quick=True)
    said = f"{best[0]['label']} {best[0]['probability']:.0%}" if best else ""
    row = [(said or "picture", folder / "picture.png")]
    chance = explainer.unordered(target, image)
    value = value_of(explainer.classifier, target, image).name
    methods: dict[str, Any] = {}
    _say(progress, f"\n{folder.name}: {target}" + (f"; the network says {said}" if said else ""))
    for found in explainer.explain(image, target, checked=checked, told=lambda what: _note(progress, what)):
        _note(progress, "")
        name = found.method.name
        _write(found, image[0], folder, bar)
        methods[name] = _facts(found, chance)
        _say(progress, f"  {found.method.title}: {methods[name]['verdict']}")
        row.append((found.method.title, folder / f"{name}.png"))
        progress.update()
    facts = {"target": str(target), "top": best, "measured": value}
    return facts | {"no_order": chance and chance._asdict(), "methods": methods}, row


def _clear_of_others(folder: Path, shown: Tensor) -> None:
    """Delete what was written of the picture before it changed, or at another size; ``shown``: bytes (h, w, 3)."""
    before = read_sound(folder / "picture.png")
    if before is None or not torch.equal(before, shown):
        shutil.rmtree(folder / "report", ignore_errors=True)
        for old in (*folder.glob("*.npy"), *folder.glob("*.png")):
            old.unlink()


def _say(progress: tqdm[Any], line: str) -> None:
    """Print a line, above the bar where that is shown by now."""
    if _shown(progress):
        progress.write(line)
    else:
        print(line, flush=True)


def _note(progress: tqdm[Any], what: str) -> None:
    """Say behind the bar what is being computed."""
    progress.set_postfix_str(what, refresh=_shown(progress))


def _shown(progress: tqdm[Any]) -> bool:
    return time.time() >= progress.start_t + (progress.delay or 0)


def _write_page(
    config: DictConfig,
    explainer: Explainer,
    image: Tensor,
    folder: Path,
    facts: dict[str, Any],
    known: dict[str, Features],
) -> None:
    """Write the page about one picture (1, 3, h, w)."""
    classifier, layer = explainer.classifier, explainer.settings.layer
    assert isinstance(classifier, FrozenClassifier)
    target = explainer.target(facts["target"], image)
    facts |= {"layer": None if layer is None else layer.name}
    facts |= {"filters": strongest_filters(config, classifier, target, image, layer, folder)}
    facts |= {"neighbours": neighbours(config, classifier, image, folder, known)}
    write_text(folder / "report.html", page(facts))


def _write(found: Explained, image: Tensor, folder: Path, bar: bool) -> None:
    pixels, shown = found.picture(image)
    text = {"method": f"{found.method.title} ({found.method.source})"}
    write_png(folder / f"{found.method.name}.png", with_bar(pixels, shown) if bar and shown else pixels, text)
    array = io.BytesIO()
    np.save(array, found.values.numpy())
    with atomic_write(folder / f"{found.method.name}.npy") as file:
        file.write(array.getvalue())


def _facts(found: Explained, chance: Faithfulness | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "title": found.method.title,
        "source": found.method.source,
        "verdict": found.verdict(chance),
    }
    if found.faithfulness is not None:
        facts |= found.faithfulness._asdict()
    if found.likeness is not None:
        facts |= {"correlation_with_random_weights": found.likeness._asdict(), "depends": found.likeness.depends}
    return facts


@torch.no_grad()
def _top(classifier: Classifier, image: Tensor) -> list[dict[str, Any]]:
    """The classes that the network names in a picture, the most probable first."""
    chances = probabilities(classifier(image, [SCORES])[SCORES], ending_of(classifier))[0]
    best = chances.topk(min(_TOP, len(chances)))
    return [
        {"number": int(n), "label": classifier.outline.labels[int(n)], "probability": float(p)}
        for p, n in zip(best.values, best.indices, strict=True)
    ]


def _sheets(folder: Path, rows: Sequence[Sequence[tuple[str, Path]]]) -> list[Path]:
    """Write pictures as rows and methods as columns, 25 pictures a sheet; the paths."""
    pages = [rows[first : first + _ROWS] for first in range(0, len(rows), _ROWS)]
    paths = [folder / ("sheet.png" if number == 0 else f"sheet-{number + 1}.png") for number in range(len(pages))]
    for path, shown in zip(paths, pages, strict=True):
        write_sheet(path, shown, _SIDE)
    for old in set(folder.glob("sheet-*.png")) - set(paths):
        old.unlink()
    return paths
