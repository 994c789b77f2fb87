"""A figure: several targets and settings of one experiment, one run each, and a sheet of the results."""

from __future__ import annotations

import copy
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

from genviz.errors import UserError
from genviz.images.sheet import write_sheet
from genviz.interfaces import Classifier, Outline
from genviz.sweeps.mosaic import check_mosaic, draw_mosaic
from genviz.targets.grammar import Target
from genviz.training import build, naming
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
        if config.mosaic:
            check_mosaic([target])
    sheet: list[list[tuple[str, Path]]] = []
    known: tuple[DictConfig, Classifier] | None = None  # the last panel's, which the next may share
    for row in rows:
        sheet.append([])
        for panel in row:
            target = build.target(panel, build.sketch(panel.classifier))
            if known is None or known[0] != panel.classifier:
                known = (panel.classifier, build.classifier(panel.classifier))
            if code := train(panel, target, classifier=known[1]):
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
    names = naming.names(whole)
    path = Path(config.paths.outputs).expanduser() / names.classifier / names.generator / "sheet.png"
    write_sheet(path, sheet, _SIDE)
    print(f"sheet       {path}", flush=True)
    if config.mosaic:
        mosaic = path.with_name("mosaic.png")
        draw_mosaic(mosaic, [made for row in rows for made in map(_made, row)], build.classifier(config.classifier))
        print(f"mosaic      {mosaic}", flush=True)
    return 0


def _made(panel: DictConfig) -> tuple[Target, Outline, Path]:
    """A panel's target, the outline of its network, and its picture."""
    outline = build.sketch(panel.classifier)
    target = build.target(panel, outline)
    return target, outline, RunFolders.of(panel, target).picture


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
        return [_shared(list(row)) for row in panels[name]]
    return [_shared(list(panels[name]))]


def _shared(row: list[str]) -> list[str]:
    """The words of each panel of a row, with those of a first entry without a target, which the others share."""
    first, *others = row
    return row if "target=" in first or not others else [f"{first} {words}" for words in others]


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
