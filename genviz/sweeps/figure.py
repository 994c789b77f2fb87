"""A figure: several targets and settings of one experiment, one run each, and a sheet of the results."""

from __future__ import annotations

import copy
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor

from genviz.errors import UserError
from genviz.images.mosaic import write_mosaic
from genviz.images.pictures import display, read_image
from genviz.images.sheet import write_sheet
from genviz.retrieval.cut import box_of, cut
from genviz.training import build
from genviz.training.configuration import compose
from genviz.training.run_folders import RunFolders
from genviz.training.settings import TrainSettings
from genviz.training.train import train

_SIDE = 200  # of a picture on the sheet, in pixels


def draw(config: DictConfig) -> int:
    """Make each panel that the experiment has for the configured classifier; return the program's exit code.

    With ``mosaic``, there is also one of what each panel's neuron sees of its picture.

    Raises:
        UserError: a setting cannot work, or there are no panels for this classifier.
    """
    if "otherwise" in config.classifier:
        raise UserError("a figure names layers of its network; say which network, such as classifier=vgg16")
    rows = panels(config)
    for panel in [panel for row in rows for panel in row]:
        TrainSettings.check(panel)
        target = build.target(panel, build.sketch(panel.classifier))  # all are checked before the first is made
        if config.mosaic and [unit.kind for unit in target.units] != ["neuron"]:
            raise UserError(f"target={target}: a mosaic is of single neurons, such as neuron:relu4_1:7:14:14")
    sheet: list[list[tuple[str, Path]]] = []
    for row in rows:
        sheet.append([])
        for panel in row:
            target = build.target(panel, build.sketch(panel.classifier))
            if code := train(panel, target):
                return code
            folders, network = RunFolders.of(panel, target), str(panel.choices.classifier)
            if not sheet[-1] and folders.drawn_image.exists():
                drawn = f"{network}, as it draws it"
                sheet[-1] += [("picture", Path(str(panel.image)).expanduser()), (drawn, folders.drawn_image)]
            title = _short(str(target) if panel.tag is None else f"{target}, {panel.tag}")
            title = title if network == str(config.choices.classifier) else f"{network}: {title}"
            sheet[-1].append((title, folders.picture))
    whole = copy.deepcopy(rows[0][0])
    whole.tag = config.tag
    names = build.names(whole)
    path = Path(config.paths.outputs).expanduser() / names.classifier / names.generator / "sheet.png"
    write_sheet(path, sheet, _SIDE)
    print(f"sheet       {path}", flush=True)
    if config.mosaic:
        _write_mosaic(config, rows, path.with_name("mosaic.png"))
        print(f"mosaic      {path.with_name('mosaic.png')}", flush=True)
    return 0


def _write_mosaic(config: DictConfig, rows: list[list[DictConfig]], path: Path) -> None:
    """Write of each picture, by layer, the part that its neuron sees, in its own size."""
    classifier = build.classifier(config.classifier)
    outline, layers = classifier.outline, {layer.name: layer for layer in classifier.outline.layers}
    blocks: dict[str, list[Tensor]] = {}
    for panel in [panel for row in rows for panel in row]:
        target = build.target(panel, outline)
        (unit,) = target.units
        layer = layers[unit.layer]
        area = classifier.receptive_area(layer.name) if len(layer.shape) == 3 else None
        image = read_image(RunFolders.of(panel, target).picture)
        part = cut(image, box_of(unit.index[1:], area, outline.input_size), 0.5)
        blocks.setdefault(layer.name, []).append(display(part[0]))
    write_mosaic(path, list(blocks.items()))


def panels(config: DictConfig) -> list[list[DictConfig]]:
    """The configuration of each picture of the figure, row by row.

    Raises:
        UserError: there are none for this classifier.
    """
    return [[_panel(config, words) for words in row] for row in _rows(config)]


def _rows(config: DictConfig) -> list[list[str]]:
    classifier, panels = str(config.choices.classifier), config.panels
    name = str(config.classifier.get("architecture", classifier))
    if name not in panels:
        known = ", ".join(str(known) for known in panels)
        raise UserError(
            f"experiment={config.choices.experiment} names layers of {known}, but none of {name}; "
            "give a target, such as target=layer:NAME"
        )
    if all(isinstance(row, ListConfig) for row in panels[name]):
        return [list(row) for row in panels[name]]
    return [list(panels[name])]


def _panel(config: DictConfig, words: str) -> DictConfig:
    """The configuration with a panel's settings, ``target=layer:relu1 objective.inversion.weight=20``.

    A panel may be of another network, ``classifier=dsift target=layer:dsift``.
    """
    panel = copy.deepcopy(config)
    tags = [] if config.tag is None else [str(config.tag)]
    for word in words.split():
        name, _, value = word.partition("=")
        if name == "classifier":
            if value != config.choices.classifier:
                panel.classifier, panel.choices.classifier = _classifier(config, value), value
            continue
        if name != "target" and OmegaConf.select(panel, name, default=_NONE) is _NONE:
            raise UserError(f"a panel of {config.choices.experiment} sets {name}, which does not exist here")
        OmegaConf.update(panel, name, value if name == "target" else OmegaConf.create(f"value: {value}").value)
        if name != "target":
            tags.append(f"{name.rpartition('.')[2]}={Path(value).stem if '/' in value else value}")
    panel.tag = "-".join(tags) or None
    return panel


def _classifier(config: DictConfig, name: str) -> DictConfig:
    """The settings of the classifier ``name``, with the input size of the configured one."""
    own = compose("train", [f"classifier={name}"]).classifier
    for setting in ("input_size", "resize"):
        own[setting] = config.classifier[setting]
    return own


def _short(title: str) -> str:
    """A panel's name without the kind of its target."""
    return title.partition(":")[2]


_NONE = object()
