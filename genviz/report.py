"""What a run says to the person who started it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from genviz.build import Names
from genviz.interfaces import Classifier, Generator
from genviz.targets import Target
from genviz.verdict import Verdict


def begins(
    names: Names, target: Target, generator: Generator, classifier: Classifier, updates: int, wanted: int
) -> None:
    """Say what is coupled to what, and where a resumed training stands."""
    trainable = sum(parameter.numel() for parameter in generator.parameters() if parameter.requires_grad)
    print(f"{target}: {names.generator} ({trainable:,} trainable parameters) coupled to {names.classifier}", end=" ")
    print(f"({classifier.weights_source})")
    warn(names.note)
    made, seen = generator.image_size, classifier.outline.input_size
    if made != seen and classifier.outline.resizes:
        sizes = f"{made[0]} x {made[1]}, is resized to the {seen[0]} x {seen[1]}"
        print(f"the picture, {sizes} that {names.classifier} sees")
    if 0 < updates < wanted:
        print(f"going on after update {updates} of {wanted} (resume=false starts over)")


def warn(note: str | None) -> None:
    """Say what nobody may miss, if there is anything."""
    if note is not None:
        print(f"\n!!! {note}\n", flush=True)


def done(picture: Path, target: Target, updates: int, note: str | None) -> None:
    """Say that nothing is left to do."""
    warn(note)
    print(f"{target} is done, {updates} updates: {picture} (resume=false starts over)")


def stopped(checkpoint: Path, which: signal.Signals, updates: int, names: Names) -> None:
    """Say that a signal ended the training, and that nothing is lost."""
    command = "the same command" if names.note is None else f"the same command with classifier={names.classifier}"
    print(f"{which.name} after update {updates}, saved: {checkpoint}; {command} goes on from there")


def ends(verdicts: Sequence[tuple[str, Verdict]], note: str | None, picture: Path, checkpoint: Path, run: str) -> None:
    """Say what came out, what to think of it, and where it is."""
    print()
    for file, verdict in verdicts:
        print(f"{'' if len(verdicts) == 1 else f'{file}: '}{verdict.verdict}: {verdict.explanation}")
    verdict = verdicts[0][1]
    print(f"measured on the picture as written: activation {verdict.activation:.3f}, rank {verdict.rank}")
    for score in verdict.top_classes:
        print(f"  {score.probability:7.2%}  {score.label} ({score.number})")
    warn(note)
    print(f"picture     {picture}\ncheckpoint  {checkpoint}\nrun         {run}", flush=True)
