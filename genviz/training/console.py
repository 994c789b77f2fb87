"""What runs and sweeps print."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from genviz.interfaces import Classifier, Generator
from genviz.reports.review.write import Review
from genviz.targets.grammar import Target
from genviz.training.build import Names
from genviz.training.verdict import Verdict


def begins(
    names: Names, target: Target, generator: Generator, classifier: Classifier, updates: int, wanted: int
) -> None:
    """Print what is coupled to what, and where a resumed training continues."""
    trainable = sum(parameter.numel() for parameter in generator.parameters() if parameter.requires_grad)
    print(f"{target}: {names.generator} ({trainable:,} trainable parameters) coupled to {names.classifier}", end=" ")
    print(f"({classifier.weights_source})")
    warn(names.note)
    made, seen = generator.image_size, classifier.outline.input_size
    if made != seen and classifier.outline.resizes:
        sizes = f"{made[0]} x {made[1]} picture is resized to the {seen[0]} x {seen[1]}"
        print(f"the {sizes} that {names.classifier} sees")
    if 0 < updates < wanted:
        print(f"continuing after update {updates} of {wanted} (resume=false starts over)")


def warn(note: str | None) -> None:
    """Print the warning ``note``, if there is one."""
    if note is not None:
        print(f"\n!!! {note}\n", flush=True)


def done(picture: Path, target: Target, updates: int, note: str | None) -> None:
    """Print that the run is already done."""
    warn(note)
    print(f"{target} is done, {updates} updates: {picture} (resume=false starts over)")


def stopped(checkpoint: Path, which: signal.Signals, updates: int, names: Names) -> None:
    """Print that a signal ended the training, and how to continue."""
    print(f"{which.name} after update {updates}, saved: {checkpoint}; {_again(names)} continues from there")


def ends(verdicts: Sequence[tuple[str, Verdict]], note: str | None, picture: Path, checkpoint: Path, run: str) -> None:
    """Print the verdicts, the measurements and where the files are."""
    print()
    for file, verdict in verdicts:
        print(f"{'' if len(verdicts) == 1 else f'{file}: '}{verdict.verdict}: {verdict.explanation}")
    verdict = verdicts[0][1]
    print(f"measured on the picture as written: activation {verdict.activation:.3f}, rank {verdict.rank}")
    for score in verdict.top_classes:
        print(f"  {score.probability:7.2%}  {score.label} ({score.number})")
    warn(note)
    print(f"picture     {picture}\ncheckpoint  {checkpoint}\nrun         {run}", flush=True)


def sweep_begins(names: Names, targets: int, done: int, at_once: int, classifier: Classifier) -> None:
    """Print how many targets there are, and how many are already done."""
    together = "one at a time" if at_once == 1 else f"{at_once} at a time"
    print(f"{targets} targets, {together}: {names.generator} coupled to {names.classifier}", end=" ")
    print(f"({classifier.weights_source})" + (f"; {done} already done" if done else ""), flush=True)
    warn(names.note)


def sweep_target(number: int, of: int, target: Target, verdict: Verdict) -> None:
    """Print a target's verdict."""
    told = f"{verdict.verdict}: {verdict.explanation}; activation {verdict.activation:.3f}"
    tqdm.write(f"{number}/{of} {target}: {told}", file=sys.stdout)


def sweep_failure(number: int, of: int, target: str, why: str) -> None:
    """Print why a target failed."""
    why = why.replace("resume=false", f"target={target} resume=false")  # for this target only
    tqdm.write(f"{number}/{of} {target} failed: {why}", file=sys.stderr)


def sweep_unseen(error: Exception) -> None:
    """Print that the page could not be updated."""
    tqdm.write(f"the page could not be updated: {error}", file=sys.stderr)


def sweep_halves(at_once: int) -> None:
    """Print that fewer targets are trained together from here on."""
    tqdm.write(f"out of memory; training {at_once} at a time from here on", file=sys.stderr)


def sweep_stopped(which: signal.Signals, done: int, of: int, names: Names) -> None:
    """Print that a signal ended the sweep, and how to continue."""
    print(f"{which.name}: {done} of {of} targets are done, those in progress are saved; {_again(names)} continues")


def sweep_ends(
    results: Sequence[Mapping[str, Any]], failures: Mapping[str, str], elsewhere: Sequence[str], names: Names
) -> None:
    """Print how many targets got which verdict, and which failed."""
    verdicts = Counter(str(result["verdict"]) for result in results)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    print(f"\n{len(results)} targets: {counted}" if results else "\nno targets are done")
    if elsewhere:
        print(f"in progress in other processes: {_some(elsewhere)}")
    if failures:
        print(f"failed: {_some(list(failures))}", file=sys.stderr)
    warn(names.note)


def sweep_where(made: Review, folder: Path, run: str) -> None:
    """Print where everything is."""
    sheets = [path for path in made.sheets if path.parent == folder]
    more = f", and {len(sheets) - 1} more" if len(sheets) > 1 else ""
    print(f"page        {made.page}")
    if sheets:
        print(f"sheet       {sheets[0]}{more}")
    print(f"pictures    {folder}\nrun         {run}", flush=True)


def _again(names: Names) -> str:
    return "the same command" if names.note is None else f"the same command with classifier={names.classifier}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
