"""Which training pictures a generated one resembles (Réda & Xu, section 3.3): tables, bars, matches.

genviz trace image=final.png pictures=cats/ baseline=dogs/ method=harris,sift,words,features
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

import genviz
from genviz.errors import UserError
from genviz.files import prepare_folder, write_text
from genviz.images.folders import find_pictures
from genviz.images.given import folder_for, given_pictures, named
from genviz.matching.comparers import fitting
from genviz.matching.drawing import write_bars, write_matches
from genviz.matching.gathered import WORDS, Gathered, Named, Plan, Seeing, left_out, named_images
from genviz.matching.settings import METHODS, methods_of
from genviz.matching.traced import Traced
from genviz.retrieval.features import Kept, feature_layer
from genviz.retrieval.neighbours import as_folder, seen_in
from genviz.training import build, console, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.logged_pictures import log_pictures
from genviz.training.looking import looking

_DRAWN = 4  # pairs of pictures with their matches
_LISTED = 5  # pictures of the table
_TABLE, _NUMBERS = "contributions.csv", "trace.json"


def trace(config: DictConfig) -> int:
    """Compare pictures with training pictures, and both with chance; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or there is too little to compare; what other methods have found is kept.
    """
    keep_freed_memory()
    given = build.plain(config)
    methods, files = methods_of(given["method"]), given_pictures(given["image"])
    for setting in ("pictures", "baseline"):
        if config[setting] is not None:
            find_pictures(config[setting], setting)
    kept = None
    if "features" in methods:
        kept = Kept(feature_layer(build.sketch(config.classifier), config.layer), config.pooling)
        console.warn(naming.note(config))
    images = named_images(files, named(files))
    words = given["words"]
    plan = Plan(
        *(config.size, config.noise, config.seed, {name: given[name] for name in ("harris", "sift")}),
        words={name: words[name] for name in WORDS},
        seeing=None if kept is None else Seeing(looking(config), kept, seen_in(config)),
    )
    gathered = Gathered(config.pictures, config.baseline, plan)
    parent = Path(config.paths.outputs).expanduser() / "trace"
    folder = folder_for(parent, _name(given["image"], list(images)), given["image"])
    prepare_folder(folder)
    tables = [folder / name for name in (*(f"{method}.csv" for method in METHODS), _TABLE, _NUMBERS)]
    for old in (*folder.glob("bars-*.png"), *folder.glob("matches-*.png"), *tables):  # of an earlier call
        old.unlink(missing_ok=True)
    found: list[Traced] = []
    drawn: dict[str, Path] = {}
    failed: list[UserError] = []
    for method in methods:
        try:
            found.append(gathered.trace(method, images))
        except UserError as error:
            failed.append(error)  # the other methods need not suffer
            print(f"left out: {method}: {error}", file=sys.stderr, flush=True)
            continue
        if (told := left_out(found[-1])) is not None:
            print(told, file=sys.stderr, flush=True)
        print(_table(found[-1]), flush=True)
        drawn |= _draw(folder, found[-1], gathered, images, config.bars)
        _write(folder, found)
    if not found:
        raise failed[0]
    where = log_pictures(config, folder, f"trace of {folder.name}", drawn)
    print(f"\nbars        {folder}/bars-*.png\ntables      {folder / _TABLE}, {_NUMBERS}")
    if any((folder / f"matches-{method}.png").exists() for method in methods):
        print(f"matches     {folder}/matches-*.png")
    print(f"run         {where}", flush=True)
    if failed:
        raise failed[0]
    return 0


def _name(given: Any, images: Sequence[str]) -> str:
    """A folder's name for what is traced."""
    if isinstance(given, str) and len(images) > 1 and "*" not in given:
        return as_folder(Path(given).expanduser().resolve().name)
    return as_folder(images[0] if len(images) == 1 else f"{images[0]}+{len(images) - 1}")


def _table(found: Traced) -> str:
    """The highest pictures and the baselines, and what to think of them."""
    best = found.ranked()
    several = len(found.images) > 1
    lines = [f"\n{found.method}: {len(found.images)} of {len(found.pictures)} pictures"]
    for number in best[:_LISTED]:
        spread = f"  (sd {found.shown(float(found.sd[number]))})" if several else ""
        lines.append(f"  {found.shown(float(found.mean[number])):>8}  {found.pictures[number]}{spread}")
    lines.append(f"  {found.shown(float(found.mean.mean())):>8}  mean of all {len(found.pictures)}")
    for name, values in found.levels.items():
        highest, mean = found.shown(float(values.max())), found.shown(float(values.mean()))
        lines.append(f"  {highest:>8}  highest of {len(values)} {_TITLES[name]} (mean {mean})")
    tested = [("arbitrary pictures", found.p_any), ("noise", found.p_noise)]
    values_of = ", ".join(f"{p:.2g} ({name})" for name, p in tested if p is not None)
    lines.append(f"  {found.verdict()}" + (f"\n  p-values: {values_of}" if values_of else ""))
    return "\n".join(lines)


_TITLES = {"other pictures": "pictures of the baseline", "their noise": "pictures of noise with their spectrum"}


def _draw(folder: Path, found: Traced, gathered: Gathered, images: Named, bars: int) -> dict[str, Path]:
    """Write the figures of one method; their paths by name."""
    plan = gathered.plan
    own, _ = gathered.read((plan.size, plan.size))
    paths = {f"bars-{found.method}": folder / f"bars-{found.method}.png"}
    write_bars(paths[f"bars-{found.method}"], found, own, bars)
    if found.method in plan.points:
        comparer = gathered.by_points(found.method)
        pairs = []
        for image, picture in _closest(found):
            ours, theirs = fitting(images[image], (plan.size, plan.size)), own[picture]
            matched = comparer.match(*comparer.look([ours, theirs]))
            pairs.append((image, ours, picture, theirs, matched))
        paths[f"matches-{found.method}"] = folder / f"matches-{found.method}.png"
        write_matches(paths[f"matches-{found.method}"], found.method, pairs, plan.size)
    return paths


def _closest(found: Traced) -> list[tuple[str, str]]:
    """Which image is drawn with which picture: each with its closest, or a lone one with the closest ones."""
    order = np.argsort(-found.scores, 1, kind="stable")
    if len(found.images) == 1:
        return [(found.images[0], found.pictures[number]) for number in order[0, :_DRAWN]]
    return [(name, found.pictures[order[row, 0]]) for row, name in enumerate(found.images[:_DRAWN])]


def _write(folder: Path, found: Sequence[Traced]) -> None:
    """Write contributions.csv, a table of the highest cosines for methods that have them, and trace.json."""
    rows: list[list[object]] = [["method", "picture", "runs", "mean", "sd"]]
    for each in found:
        for number in each.ranked():
            values = (f"{each.mean[number]:.6g}", f"{each.sd[number]:.6g}")
            rows.append([each.method, each.pictures[number], len(each.images), *values])
        if each.unit == "cosine":
            best = each.scores.argmax(1)
            highest = [
                [image, each.pictures[at], f"{each.scores[row, at]:.6g}"]
                for row, (image, at) in enumerate(zip(each.images, best.tolist(), strict=True))
            ]
            _write_table(folder / f"{each.method}.csv", [["image", "picture", "max_cosine"], *highest])
    _write_table(folder / _TABLE, rows)
    facts = {"genviz": genviz.__version__, "methods": {each.method: facts_of(each) for each in found}}
    write_text(folder / _NUMBERS, json.dumps(facts, indent=2) + "\n")


def facts_of(found: Traced) -> Mapping[str, Any]:
    """The numbers of one method as plain data."""
    first = found.ranked()[0]
    return {
        "unit": "share of the inliers" if found.unit == "inliers" else "cosine",
        "images": found.images,
        "highest": found.pictures[first],
        "mean": float(found.mean[first]),
        "sd": float(found.sd[first]),
        "noise_mean_and_most": found.chance,
        "levels": {name: {"highest": float(v.max()), "mean": float(v.mean())} for name, v in found.levels.items()},
        "p_arbitrary_pictures": found.p_any,
        "p_noise": found.p_noise,
        "verdict": found.verdict(),
        "left_out": found.left_out,
    }


def _write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())
