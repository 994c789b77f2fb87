"""An adversarial sticker, and how often it works on pictures that it was not made with (Brown et al. 2017)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig
from torch import Tensor

import genviz
from genviz.adversarial.curve import write_curves
from genviz.adversarial.stickers.pasted import Judge, Pasting, Row, measured
from genviz.adversarial.stickers.printing import read_photo, read_sticker, shaped, write_sticker
from genviz.adversarial.stickers.settings import pixels
from genviz.adversarial.stickers.sheet import write_examples
from genviz.errors import UserError
from genviz.files import write_text
from genviz.images.decoding import decoded
from genviz.images.folders import distinct, evenly, find_pictures, halves, tell_copies
from genviz.images.pictures import read_image
from genviz.images.shapes import Shape
from genviz.interfaces import Outline
from genviz.targets.grammar import Target
from genviz.targets.labels import class_of_folder
from genviz.training import build, console, naming
from genviz.training.build import AUTO
from genviz.training.logged_pictures import log_pictures
from genviz.training.looking import looking
from genviz.training.run_folders import RunFolders
from genviz.transforms.placed import Placed, check, check_area

STICKER, PHOTO, GREY = "sticker", "photograph", "grey"
_PLACES = {"random": "at random places", "corner": "in the upper left corner", "centre": "in the centre"}


class _Plan(NamedTuple):
    """What is settled before any weights are loaded."""

    target: Target
    wanted: int
    """The number of the class."""
    label: str
    away: bool
    """Whether the network should no longer see it."""
    others: int | None
    """Its number for the other network; None without one."""
    shape: Shape
    size: tuple[int, int]
    """Of the pictures, rows and columns."""
    side: int
    """Of the printed sticker, in pixels."""
    held_out: list[Path]
    photo: Tensor | None

    @property
    def success(self) -> str:
        """What the network should do."""
        return f"no longer sees {self.label}" if self.away else f"sees {self.label}"


def sticker(config: DictConfig) -> int:
    """Train a sticker, print it to a PNG, and measure it; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or a picture cannot be read.
    """
    plan = _planned(config)

    from genviz.training.train import train  # takes seconds, which a wrong setting need not wait

    code = train(config.copy(), plan.target)
    if code:
        return code
    folders = RunFolders.of(config, plan.target)
    file = _printed(config, plan, folders)
    classifier = looking(config)
    judges = [Judge(naming.classifier_name(config), classifier, plan.wanted, plan.away)]
    if plan.others is not None:
        name = naming.classifier_name(_with(config, config.other))
        name = f"{name} (other)" if name == judges[0].name else name
        judges.append(Judge(name, build.classifier(config.other).to(classifier.device), plan.others, plan.away))
    pictures = decoded(evenly(plan.held_out, config.tried), plan.size)
    pasting = Pasting(pictures.pixels, _placing(config), config.seed)
    things = {STICKER: read_sticker(file)} | ({} if plan.photo is None else {PHOTO: plan.photo})
    if plan.away or classifier.independent:  # it may have its way by what it covers
        things[GREY] = shaped(torch.full((1, 3, 2, 2), 0.5), plan.shape, plan.side)
    rows, count = measured(pasting, things, config.areas, judges)
    written = _written(plan, rows, folders.outputs)
    written["sheet"] = write_examples(folders.outputs, pasting, things, config.area, judges[0], count[0])
    _tell(config, plan, rows, [int(own.sum()) for own in count], len(pictures.paths))
    where = log_pictures(config, folders.outputs, f"sticker of {plan.target}", {STICKER: file, **written})
    print(f"\nsticker     {file}, {config.print_size:g} cm wide at {config.dpi} dpi")
    for name, path in written.items():
        print(f"{name:11} {path}")
    print(f"table       {folders.outputs / 'success.csv'}\nrun         {where}", flush=True)
    return 0


def _planned(config: DictConfig) -> _Plan:
    """Check what can be checked without weights."""
    outline = build.sketch(config.classifier)
    target = build.target(config, outline)
    if len(target.units) != 1 or target.units[0].kind != "class":
        raise UserError(
            f"target={target}: a sticker is of one class, such as target=class:toaster, or away from one, "
            "class:toaster@-1"
        )
    if len(outline.labels) < 2:
        raise UserError("the network has a single class; a sticker needs one that tells several apart")
    (wanted,), away = target.units[0].index, target.units[0].weight < 0
    if away and config.photo is not None:
        raise UserError(f"photo={config.photo}: leave it out; a sticker away from a class has no photo to compare with")
    placed = (config.get("transform") or {}).get("placed")
    if not isinstance(placed, DictConfig) or "_target_" not in placed:
        raise UserError("a sticker is pasted by transform=placed, alone or first of several: transform=[placed,noise]")
    if "shape" not in config.generator:
        raise UserError(f"generator={config.choices.generator} makes no sticker; generator=patch does")
    shape: Shape = config.generator.shape
    given = _placed(config)
    size = outline.input_size if given["size"] == AUTO else given["size"]
    check(**{**given, "size": size})
    if given["shape"] != shape:
        raise UserError(f"transform.placed.shape={given['shape']} must be that of generator.shape={shape}")
    for area in (config.area * given["sizes"][1] ** 2, *config.areas):
        check_area(area, shape, given["rotate"], size)
    every = find_pictures(config.data, "data").pictures
    own = distinct(every)
    tell_copies(len(every) - len(own))
    found = halves(own)
    if not found.held_out:
        raise UserError(f"data={config.data}: there is a single picture, and half of them are held out; give more")
    others = None if config.get("other") is None else _number_for(build.sketch(config.other), outline, wanted)
    side = pixels(config.print_size, config.dpi)
    photo = None if config.photo is None else read_photo(config.photo, shape, min(side, max(size)))
    size = size[0], size[1]
    return _Plan(target, wanted, outline.labels[wanted], away, others, shape, size, side, found.held_out, photo)


def _number_for(other: Outline, outline: Outline, wanted: int) -> int:
    """The number that another network has for a class.

    Raises:
        UserError: it has no such class.
    """
    if other.labels == outline.labels:
        return wanted
    try:
        return class_of_folder(outline.labels[wanted], other.labels)
    except UserError as error:
        raise UserError(f"other: {error}") from None


def _with(config: DictConfig, classifier: DictConfig) -> DictConfig:
    """The configuration with another classifier, for its name."""
    own = config.copy()
    own.classifier, own.choices.classifier = classifier, config.choices.other
    return own


def _placed(config: DictConfig) -> dict[str, Any]:
    """The settings of the transform, also those that are not given."""
    usual = {name: own.default for name, own in signature(Placed).parameters.items()}
    return {**usual, **build.plain(config)["transform"]["placed"]}


def _placing(config: DictConfig) -> dict[str, Any]:
    """The same, without what it pastes into."""
    return {name: value for name, value in _placed(config).items() if name not in ("_target_", "pictures", "size")}


def _printed(config: DictConfig, plan: _Plan, folders: RunFolders) -> Path:
    """Write the trained sticker in its print size."""
    file = folders.outputs / "sticker.png"
    image = shaped(read_image(folders.picture), plan.shape, plan.side)
    text = {"Software": f"genviz {genviz.__version__}", "target": str(plan.target), "area": f"{config.area:g}"}
    write_sticker(file, image, config.print_size, {**text, "classifier": naming.classifier_name(config)})
    return file


def _written(plan: _Plan, rows: Sequence[Row], folder: Path) -> dict[str, Path]:
    """Write the table and the curves."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["network", "pasted", "area", "reached", "pictures", "success", "low", "high"])
    for row in rows:
        ends = [f"{end:.4f}" for end in (row.success.share, *row.success.interval)]
        table.writerow([row.network, row.pasted, f"{row.area:g}", *row.success, *ends])
    write_text(folder / "success.csv", text.getvalue())
    curves: dict[str, list[tuple[float, Any]]] = {}
    for row in sorted(rows, key=lambda row: row.area):
        curves.setdefault(f"{row.pasted}, {row.network}", []).append((row.area, row.success))
    title = f"How often a network {plan.success}, with 95 % intervals"
    write_curves(folder / "success.png", curves, across="share of the picture", up="success", title=title)
    return {"curve": folder / "success.png"}


def _tell(config: DictConfig, plan: _Plan, rows: Sequence[Row], count: Sequence[int], pictures: int) -> None:
    """Print the success by area."""
    console.warn(naming.note(config))
    networks = list(dict.fromkeys(row.network for row in rows))
    place = _PLACES[_placed(config)["place"]]
    print(f"\npasted into {pictures:,} held-out pictures, {place}; how often a network {plan.success}:")
    for network, own in zip(networks, count, strict=True):
        sees, of = (own, "these") if plan.away else (pictures - own, f"the other {own}")
        print(f"\n{network} sees it in {sees} of them without a sticker; of {of}:")
        things = list(dict.fromkeys(row.pasted for row in rows))
        print(f"{'area':>8}" + "".join(f"  {thing:26}" for thing in things))
        for area in dict.fromkeys(row.area for row in rows):
            own_rows = [row for row in rows if row.network == network and row.area == area]
            print(f"{f'{100 * area:.3g}%':>8}" + "".join(f"  {row.success!s:26}" for row in own_rows))
