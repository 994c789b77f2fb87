"""What a class is to the network, and what else it takes for a part of it (Despraz et al. 2017, section 5.1)."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

import genviz
from genviz import build
from genviz.bias_facts import about_folder, about_picture
from genviz.contributions import contributions as measure
from genviz.errors import UserError
from genviz.examples import of_gallery
from genviz.files import prepare_folder, write_text
from genviz.gallery import feature_layer, look_through
from genviz.images import read_picture, write_png
from genviz.memory import keep_freed_memory
from genviz.page import page
from genviz.runs.classes import check_folder, looking, one_class, pictures_of, seen_in
from genviz.runs.train import Places, train
from genviz.selections import check_filters, usual_layer
from genviz.sheet import write_sheet
from genviz.targets import find_layer, parse_target

_THUMBNAIL = 192  # shorter side, in pixels
_COLUMNS = 6  # of the sheet


def bias(config: DictConfig) -> int:
    """Write the report on a class: its picture, its filters', and the real pictures near it; return the exit code.

    Raises:
        UserError: a setting cannot work, or the pictures cannot be had.
    """
    keep_freed_memory()
    outline = build.sketch(config.classifier)
    target, number = one_class(config, outline)
    layer = usual_layer(outline) if config.layer is None else find_layer(config.layer, outline.layers)
    check_filters(layer, outline)
    if config.filters > layer.shape[0]:
        raise UserError(f"filters={config.filters}: {layer.name} has {layer.shape[0]}")
    near = feature_layer(outline, config.features)
    check_folder(config)
    if code := train(config, target):
        return code
    classifier = looking(config)
    gallery = None
    if config.pictures is not None:
        gallery = look_through(config.pictures, classifier, features=config.features, cache=seen_in(config))
        shown = of_gallery(gallery, classifier, number, config.count)
    else:
        shown = pictures_of(config, classifier)(number)
    found = measure(classifier, number, layer.name, shown.images)
    filters = found.ranked()[: config.filters]
    made = {}
    for filter_ in filters:
        own = copy.deepcopy(config)
        own.target = f"filter:{layer.name}:{filter_}"
        part = parse_target(own.target, outline.labels, outline.layers)
        if code := train(own, part):
            return code
        made[filter_] = Places.of(own, part).picture
    names, picture = build.names(config), Places.of(config, target).picture
    folder = Path(config.paths.outputs).expanduser() / "bias" / names.classifier / names.generator / target.folder
    shutil.rmtree(folder / "pictures", ignore_errors=True)  # of another report
    for place in (folder, folder / "pictures"):
        prepare_folder(place)
    facts: dict[str, Any] = {
        "class": {"number": number, "label": outline.labels[number]},
        "classifier": names.classifier,
        "weights": classifier.weights_source,
        "weights_sha256": classifier.weights_sha256,
        "generator": names.generator,
        "updates": config.updates,
        "seed": config.seed,
        "note": names.note,
        "genviz": genviz.__version__,
        "picture": {"file": _kept(picture, folder, "class.png")} | about_picture(picture, classifier, number, gallery),
        "layer": layer.name,
        "examples": shown.told,
        "filters": [
            {
                "filter": filter_,
                "contribution": found.values[filter_].item(),
                "share": found.share([filter_]),
                "file": _kept(path, folder, f"filter-{filter_}.png"),
            }
            | about_picture(path, classifier, number, gallery)
            for filter_, path in made.items()
        ],
        "folder": None,
    }
    if gallery is not None:
        told = about_folder(gallery, classifier, number, picture, near, count=config.neighbours, best=shown.names)
        for group in ("nearest", "highest"):
            for row, entry in enumerate(told[group], 1):
                entry["file"] = _kept(gallery.root / entry.pop("path"), folder, f"{group}-{row:02}.png")
        facts["folder"] = told
    write_text(folder / "report.json", json.dumps(facts, indent=2) + "\n")
    write_text(folder / "report.html", page(facts))
    _write_sheet(folder, facts)
    _say(folder, facts)
    return 0


def _kept(picture: Path, folder: Path, name: str) -> str:
    """Keep a small copy of ``picture`` in the report's ``folder``; return its path there."""
    write_png(folder / "pictures" / name, read_picture(picture, _THUMBNAIL).permute(1, 2, 0).contiguous(), quick=True)
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
    print(f"\nbesides {label}, its picture excites")
    for entry in facts["picture"]["excites"]:
        print(f"  {entry['score']:8.2f}  {entry['probability']:7.2%}  {entry['label']} ({entry['number']})")
    if facts["folder"] is None:
        print("\nno nearest pictures: give some with pictures=FOLDER")
    else:
        told = facts["folder"]
        print(f"\nthe {len(told['nearest'])} nearest of {told['pictures']:,} pictures; the network calls them")
        for entry in told["classes"]:
            share = f"{entry['share_of_folder']:.1%} of the folder"
            print(f"  {entry['nearest']:3} {entry['label']} ({share})")
    print(f"\nreport      {folder / 'report.html'}\nsheet       {folder / 'sheet.png'}", flush=True)
