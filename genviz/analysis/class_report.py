"""What a class looks like to the network, and what else it takes for a part of it (Despraz et al. 2017, sec. 5.1)."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

import genviz
from genviz.analysis.associations import about_folder, about_picture
from genviz.analysis.class_setup import check_folder, one_class, pictures_of, seen_in
from genviz.analysis.contributions import contributions as measure
from genviz.analysis.examples import Examples, of_gallery
from genviz.analysis.feature_cache import Gallery, look_through
from genviz.errors import UserError
from genviz.files import prepare_folder, write_text
from genviz.images.pictures import read_picture, write_png
from genviz.images.sheet import write_sheet
from genviz.interfaces import Classifier, Outline
from genviz.reports.class_page import page
from genviz.retrieval.features import feature_layer
from genviz.targets.grammar import Target, parse_target
from genviz.targets.layers import find_filters
from genviz.targets.selections import check_filters, usual_layer
from genviz.training import build, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.looking import looking
from genviz.training.run_folders import RunFolders
from genviz.training.train import train

_THUMBNAIL = 192  # shorter side, in pixels
_COLUMNS = 6  # of the sheet


def bias(config: DictConfig) -> int:
    """Write the report on a class: its picture, its filters', and the real pictures near it; return the exit code.

    Raises:
        UserError: a setting cannot work, or the pictures are unavailable.
    """
    keep_freed_memory()
    outline = build.sketch(config.classifier)
    target, number = one_class(config, outline)
    layer = usual_layer(outline) if config.layer is None else find_filters(config.layer, outline.layers)
    check_filters(layer, outline)
    if config.filters > layer.shape[0]:
        raise UserError(f"filters={config.filters}: {layer.name} has only {layer.shape[0]}")
    near = feature_layer(outline, config.features)
    check_folder(config)
    if code := train(config, target):
        return code
    classifier = looking(config)
    gallery = None
    if config.pictures is not None:
        gallery = look_through(config.pictures, classifier, features=config.features, cache=seen_in(config))
    facts: dict[str, Any] = {
        "class": {"number": number, "label": outline.labels[number]},
        "picture": _about(RunFolders.of(config, target).picture, classifier, number, gallery),
        "layer": layer.name,
        "examples": None,
        "filters": [],
        "folder": None,
    }
    if config.filters > 0:
        shown = _examples(config, classifier, gallery, number)
        facts["examples"] = shown.told
        found = measure(classifier, number, layer.name, shown.images)
        for filter_ in found.ranked()[: config.filters]:
            code, drawn = _draw(config, f"filter:{layer.name}:{filter_}", outline)
            if code:
                return code
            own = {"filter": filter_, "contribution": found.values[filter_].item(), "share": found.share([filter_])}
            facts["filters"].append(own | _about(drawn, classifier, number, gallery))
    if gallery is not None:
        best, picture = _examples(config, classifier, gallery, number).names, Path(facts["picture"]["file"])
        facts["folder"] = about_folder(gallery, classifier, number, picture, near, count=config.neighbours, best=best)
    _write(config, target, classifier, facts)
    return 0


def _examples(config: DictConfig, classifier: Classifier, gallery: Gallery | None, number: int) -> Examples:
    if gallery is None:
        return pictures_of(config, classifier)(number)
    return of_gallery(gallery, classifier, number, config.count)


def _about(picture: Path, classifier: Classifier, number: int, gallery: Gallery | None) -> dict[str, Any]:
    return {"file": str(picture)} | about_picture(picture, classifier, number, gallery)


def _draw(config: DictConfig, text: str, outline: Outline) -> tuple[int, Path]:
    """Train for the target ``text`` in the configured setting; return the exit code and the picture's path."""
    own = copy.deepcopy(config)
    own.target = text
    target = parse_target(text, outline.labels, outline.layers)
    return train(own, target), RunFolders.of(own, target).picture


def _write(config: DictConfig, target: Target, classifier: Classifier, facts: dict[str, Any]) -> None:
    """Write the page, its pictures, its numbers and the sheet, and print a summary."""
    names = naming.names(config)
    folder = Path(config.paths.outputs).expanduser() / "bias" / names.classifier / names.generator / target.folder
    shutil.rmtree(folder / "pictures", ignore_errors=True)  # of an earlier report
    for place in (folder, folder / "pictures"):
        prepare_folder(place)
    facts["picture"]["file"] = _kept(facts["picture"]["file"], folder, "class.png")
    for entry in facts["filters"]:
        entry["file"] = _kept(entry["file"], folder, f"filter-{entry['filter']}.png")
    for group in () if facts["folder"] is None else ("nearest", "highest"):
        for row, entry in enumerate(facts["folder"][group], 1):
            entry["file"] = _kept(entry["file"], folder, f"{group}-{row:02}.png", shorter=_THUMBNAIL)
    facts |= {
        "classifier": names.classifier,
        "weights": classifier.weights_source,
        "weights_sha256": classifier.weights_sha256,
        "generator": names.generator,
        "updates": config.updates,
        "seed": config.seed,
        "note": names.note,
        "genviz": genviz.__version__,
    }
    write_text(folder / "report.json", json.dumps(facts, indent=2) + "\n")
    write_text(folder / "report.html", page(facts))
    _write_sheet(folder, facts)
    _say(folder, facts)


def _kept(picture: str, folder: Path, name: str, shorter: int | None = None) -> str:
    """Copy ``picture`` to the report's ``folder``, resized to that ``shorter`` side; return its path there."""
    pixels = read_picture(Path(picture), shorter).permute(1, 2, 0).contiguous()
    write_png(folder / "pictures" / name, pixels, quick=True)
    return f"pictures/{name}"


def _write_sheet(folder: Path, facts: dict[str, Any]) -> None:
    made = [(facts["class"]["label"], facts["picture"]["file"])]
    made += [(f"{facts['layer']}:{entry['filter']}, {entry['share']:.1%}", entry["file"]) for entry in facts["filters"]]
    rows = [made]
    if facts["folder"] is not None:
        near = [(f"{e['similarity']:.2f} {e['called']['label']}", e["file"]) for e in facts["folder"]["nearest"]]
        high = [(f"{e['score']:.1f} {e['called']['label']}", e["file"]) for e in facts["folder"]["highest"]]
        rows += [part[first : first + _COLUMNS] for part in (near, high) for first in range(0, len(part), _COLUMNS)]
    write_sheet(folder / "sheet.png", [[(name, folder / file) for name, file in row] for row in rows], _THUMBNAIL)


def _say(folder: Path, facts: dict[str, Any]) -> None:
    label = facts["class"]["label"]
    print(f"\nbesides {label}, the picture excites")
    for entry in facts["picture"]["excites"]:
        print(f"  {entry['score']:8.2f}  {entry['probability']:7.2%}  {entry['label']} ({entry['number']})")
    if facts["folder"] is None:
        print("\nno real pictures to compare with: give some with pictures=FOLDER")
    else:
        told = facts["folder"]
        print(f"\nthe {len(told['nearest'])} nearest of {told['pictures']:,} pictures, which the network classifies as")
        for entry in told["classes"]:
            share = f"{entry['share_of_folder']:.1%} of the folder"
            print(f"  {entry['nearest']:3} {entry['label']} ({share})")
    print(f"\nreport      {folder / 'report.html'}\nsheet       {folder / 'sheet.png'}", flush=True)
