"""genviz fool: real pictures, perturbed until the network sees something else."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from genviz.adversarial.examples.accuracy import accuracy
from genviz.adversarial.examples.attacker import FILES
from genviz.adversarial.examples.methods import find_method
from genviz.adversarial.examples.outcomes import Outcome, summary
from genviz.adversarial.examples.session import Session
from genviz.adversarial.examples.settings import norm_of, size_of
from genviz.errors import UserError
from genviz.files import write_text
from genviz.images.given import readable
from genviz.images.sheet import write_sheet
from genviz.training import naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.logged_pictures import log_pictures

_ROWS, _SIDE = 25, 224  # of a sheet: pictures, and pixels
_SEARCHED = {"linf": [level / 255 for level in range(1, 65)], "l2": [0.05 * 1.1**n for n in range(64)]}
"""Among which the smallest epsilon is found, by norm."""


def fool(config: DictConfig) -> int:
    """Perturb each picture, write it and print what the network says of the file; return the exit code.

    Raises:
        UserError: a setting cannot work, or there is no picture.
        EndedError: a signal ended it; the same command continues.
    """
    keep_freed_memory()
    method, epsilon = find_method(config.method), size_of(config, "epsilon")
    session = Session(config)
    if config.sweep:
        return accuracy(session)
    plan = session.plan(_SEARCHED[norm_of(config)] if epsilon is None else [epsilon])
    folder, about = session.folder(str(config.epsilon).strip()), session.about()
    title = f"{method.title} on {naming.classifier_name(config)}"
    by_name = session.attack(plan, folder, about, title=title)
    found = {session.places[name]: each for name, each in by_name.items()}
    both = zip(session.names, session.files, strict=True)
    files = {session.places[name]: readable(file) for name, file in both if name in by_name}
    return _tell(config, folder, about, found, files)


def _tell(
    config: DictConfig,
    folder: Path,
    about: dict[str, Any],
    found: dict[str, Outcome | str],
    files: dict[str, str],
) -> int:
    """Write the table, the sheets and the summary, and print them.

    Args:
        found: by the name of the picture's folder.
        files: the picture itself, likewise.

    Raises:
        UserError: no picture was attacked.
    """
    outcomes = {name: each for name, each in found.items() if isinstance(each, Outcome)}
    left = {name: each for name, each in found.items() if isinstance(each, str)}
    if not outcomes:
        why = next(iter(left.values()), "none of the pictures can be decoded")
        raise UserError(f"image={config.image}: nothing to attack: {why}")
    for name, each in list(outcomes.items())[:_ROWS]:
        print(f"{name}: {each.explanation()}")
    lines = summary(list(outcomes.values()), len(left))
    if flat := sum(each.flat for each in outcomes.values()):
        lines.append(
            f"flat        a gradient of 0 in {flat} of the pictures: the network may hide it (Athalye et al. 2018); "
            "what holds against this attack may fall to another"
        )
    _write_table(folder / "fooled.csv", outcomes, files)
    own = {name: {"file": files[name], **each.as_dict()} for name, each in outcomes.items()}
    told = {"pictures": own, "left_alone": left}
    write_text(folder / "results.json", json.dumps({**about, "summary": lines, **told}, indent=2) + "\n")
    sheets = _sheets(folder, outcomes)
    print("\n" + "\n".join(lines))
    print(f"sheet       {sheets[0]}\ntable       {folder / 'fooled.csv'}\nnumbers     {folder / 'results.json'}")
    where = log_pictures(config, folder, f"{config.method} {config.epsilon}", {"fooled": sheets[0]})
    print(f"run         {where}", flush=True)
    return 0


def _write_table(path: Path, outcomes: dict[str, Outcome], files: dict[str, str]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    titles = ["picture", "target", "success", "before", "probability before", "after", "probability after", "rank"]
    table.writerow([*titles, "levels of 255", "l2", "epsilon", "another before", "another after", "file"])
    for name, each in outcomes.items():
        before, after = each.before[0], each.after[0]
        row: list[Any] = [name, each.target, each.success, before.label, f"{before.probability:.6g}"]
        row += [after.label, f"{after.probability:.6g}", each.rank, each.levels, f"{each.length:.6g}"]
        others = ("", "") if each.other is None else tuple(said.label for said in each.other)
        table.writerow([*row, f"{each.epsilon:.6g}", *others, files[name]])
    write_text(path, text.getvalue())


def _sheets(folder: Path, outcomes: dict[str, Outcome]) -> list[Path]:
    """Write original, perturbation and result of each picture side by side (Goodfellow et al. 2015, Figure 1)."""
    rows = []
    for name, each in outcomes.items():
        before, after = (f"{said[0].label} {said[0].probability:.1%}" for said in (each.before, each.after))
        words = (before, f"perturbation, at most {each.levels}/255", after)
        rows.append([(word, folder / name / file) for word, file in zip(words, FILES, strict=True)])
    pages = [rows[first : first + _ROWS] for first in range(0, len(rows), _ROWS)]
    paths = [folder / ("sheet.png" if number == 0 else f"sheet-{number + 1}.png") for number in range(len(pages))]
    for path, shown in zip(paths, pages, strict=True):
        write_sheet(path, shown, _SIDE)
    for old in set(folder.glob("sheet-*.png")) - set(paths):
        old.unlink()
    return paths
