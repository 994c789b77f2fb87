"""What a run prints."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from genviz.interfaces import Generator
from genviz.targets.probabilities import ending_of
from genviz.training.naming import Names
from genviz.training.run import Run
from genviz.training.verdict import Verdict


def begins(run: Run, generator: Generator) -> None:
    """Print what is coupled to what, and where a resumed training continues."""
    names, outline, wanted = run.names, run.classifier.outline, run.config.updates
    trainable = sum(parameter.numel() for parameter in generator.parameters() if parameter.requires_grad)
    print(
        f"{run.target}: {names.generator} ({trainable:,} trainable parameters) coupled to {names.classifier}", end=" "
    )
    print(f"({run.classifier.weights_source})")
    warn(names.note)
    if (ending := ending_of(run.classifier)) in ("softmax", "sigmoid"):
        print(f"the scores are probabilities: the network ends in a {ending}, and is easier to look into without it")
    made, seen = generator.image_size, outline.input_size
    if made != seen and outline.resizes:
        sizes = f"{made[0]} x {made[1]} picture is resized to the {seen[0]} x {seen[1]}"
        print(f"the {sizes} that {names.classifier} sees")
    if 0 < run.updates < wanted:
        print(f"continuing after update {run.updates} of {wanted} (resume=false starts over)")


def warn(note: str | None) -> None:
    """Print the warning ``note``, if there is one."""
    if note is not None:
        print(f"\n!!! {note}\n", flush=True)


def done(run: Run, updates: int) -> None:
    """Print that the run is already done."""
    warn(run.names.note)
    print(f"{run.target} is done, {updates} updates: {run.folders.picture} (resume=false starts over)")


def stopped(run: Run, which: signal.Signals, updates: int) -> None:
    """Print that a signal ended the training, and how to continue."""
    saved, command = run.folders.checkpoint, again(run.names, resume=run.config.resume)
    print(f"{which.name} after update {updates}, saved: {saved}; {command} continues from there")


def ends(run: Run, verdicts: Sequence[tuple[str, Verdict]], where: str) -> None:
    """Print the verdicts, the measurements and where the files are.

    Args:
        where: the logged run is.
    """
    print()
    for file, verdict in verdicts:
        print(f"{'' if len(verdicts) == 1 else f'{file}: '}{verdict.verdict}: {verdict.explanation}")
    verdict = verdicts[0][1]
    print(f"measured on the picture as written: activation {verdict.activation:.3f}, rank {verdict.rank}")
    for score in verdict.top_classes:
        print(f"  {score.probability:7.2%}  {score.label} ({score.number})")
    warn(run.names.note)
    print(f"picture     {run.folders.picture}\ncheckpoint  {run.folders.checkpoint}\nrun         {where}", flush=True)


def again(names: Names | None = None, *, resume: bool = True) -> str:
    """The command that continues what one with this ``resume`` began."""
    changes = [] if names is None or names.note is None else [f"with classifier={names.classifier}"]
    changes += [] if resume else ["without resume=false"]
    return "the same command" + (f" {' and '.join(changes)}" if changes else "")
