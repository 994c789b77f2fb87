"""What a sweep prints."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from genviz.errors import one_line
from genviz.interfaces import Classifier, Objective
from genviz.objectives.per_image import PerImage
from genviz.objectives.sum import Sum
from genviz.reports.review.write import Review
from genviz.targets.grammar import Target
from genviz.training.console import again, warn
from genviz.training.naming import Names
from genviz.training.verdict import Verdict


def begins(names: Names, targets: int, done: int, at_once: int, classifier: Classifier) -> None:
    """Print how many targets there are, and how many are already done."""
    together = "one at a time" if at_once == 1 else f"{at_once} at a time"
    many = "1 target" if targets == 1 else f"{targets} targets, {together}"
    print(f"{many}: {names.generator} coupled to {names.classifier}", end=" ")
    print(f"({classifier.weights_source})" + (f"; {done} already done" if done else ""), flush=True)
    warn(names.note)


def one_by_one(told: set[str], objective: Objective) -> None:
    """Print, unless it is ``told`` already, which objectives score the targets of a batch one by one."""
    parts = list(objective.parts.items()) if isinstance(objective, Sum) else []
    for name in [name for name, part in parts if isinstance(part, PerImage) and name not in told]:
        told.add(name)
        tqdm.write(f"objective.{name} takes one target, so those of a batch are scored one after the other")


def target_done(number: int, of: int, target: Target, verdict: Verdict) -> None:
    """Print a target's verdict."""
    told = f"{verdict.verdict}: {verdict.explanation}; activation {verdict.activation:.3f}"
    tqdm.write(f"{number}/{of} {target}: {told}", file=sys.stdout)


def target_failed(number: int, of: int, target: str, why: str) -> None:
    """Print why a target failed."""
    why = why.replace("resume=false", f"target={target} resume=false")  # for this target only
    tqdm.write(one_line(f"{number}/{of} {target} failed: {why}"), file=sys.stderr)


def page_failed(error: Exception) -> None:
    """Print that the page could not be updated."""
    tqdm.write(one_line(f"the page could not be updated: {error}"), file=sys.stderr)


def halved(at_once: int) -> None:
    """Print that fewer targets are trained together from here on."""
    tqdm.write(f"out of memory; training {at_once} at a time from here on", file=sys.stderr)


def stopped(which: signal.Signals, done: int, of: int, names: Names) -> None:
    """Print that a signal ended the sweep, and how to continue."""
    print(f"{which.name}: {done} of {of} targets are done, those in progress are saved; {again(names)} continues")


def ends(
    results: Sequence[Mapping[str, Any]], failures: Mapping[str, str], elsewhere: Sequence[str], names: Names
) -> None:
    """Print how many targets got which verdict, and which failed."""
    verdicts = Counter(str(result["verdict"]) for result in results)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    print(f"\n{len(results)} target{'s' * (len(results) != 1)}: {counted}" if results else "\nno targets are done")
    if elsewhere:
        print(f"in progress in other processes: {_some(elsewhere)}")
    if failures:
        print(one_line(f"failed: {_some(list(failures))}"), file=sys.stderr)
    warn(names.note)


def where(made: Review, folder: Path, run: str) -> None:
    """Print where everything is."""
    sheets = [path for path in made.sheets if path.parent == folder]
    more = f", and {len(sheets) - 1} more" if len(sheets) > 1 else ""
    print(f"page        {made.page}\ntable       {made.table}")
    if sheets:
        print(f"sheet       {sheets[0]}{more}")
    print(f"pictures    {folder}\nrun         {run}", flush=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
