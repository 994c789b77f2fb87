"""Accuracy by epsilon: how far a network can be trusted, to compare two of one's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from genviz.adversarial.curve import write_curves
from genviz.adversarial.examples.methods import METHODS, find_method
from genviz.adversarial.examples.outcomes import Outcome
from genviz.adversarial.examples.session import Session
from genviz.adversarial.examples.settings import norm_of
from genviz.adversarial.success import Success
from genviz.errors import UserError
from genviz.files import write_text
from genviz.training import naming
from genviz.training.logged_pictures import log_pictures

EPSILONS = {
    "linf": {f"{level}/255": level / 255 for level in (1, 2, 4, 8, 16, 32)},
    "l2": {f"{length:g}": length for length in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)},
}
"""Those of the curve, by norm."""
_LEFT = 0.05  # accuracy at the largest epsilon that is odd


def accuracy(session: Session) -> int:
    """Attack the pictures with growing epsilon, write the curve and print it; return the exit code.

    A picture that was fooled within some epsilon is fooled within larger ones, so only the others are attacked further.

    Raises:
        UserError: the target has no class, or there is nothing to attack.
    """
    config = session.config
    if session.target is not None and not session.target.is_of_classes:
        raise UserError(f"target={session.target}: accuracy is of classes; leave the target out, or give a class")
    wanted, points, lines = find_method(config.method), dict[float, Success](), list[str]()
    folder = session.folder("sweep")
    flat: set[str] = set()
    holding: list[str] | None = None
    count = 0
    for name, epsilon in EPSILONS[norm_of(config)].items():
        about = session.about(epsilon=name)
        found = session.attack(
            session.plan([epsilon]), folder / name.replace("/", "-over-"), about, holding, f"{wanted.title} {name}"
        )
        outcomes = {key: each for key, each in found.items() if isinstance(each, Outcome)}
        flat |= {key for key, each in outcomes.items() if each.flat}
        if holding is None:
            if not outcomes:
                raise UserError(f"image={config.image}: nothing to attack: {next(iter(found.values()), 'no picture')}")
            count = len(outcomes)
            points[0.0] = Success(count, count)
            lines += _single_step(session, folder, outcomes)
        holding = [key for key, each in outcomes.items() if _holds(each)]
        points[epsilon] = right = Success(len(holding), count)
        print(f"epsilon {name:>7}: right in {right} of {count}", flush=True)
        if not holding:
            break
    if right.reached > _LEFT * count:
        lines.append(
            f"{right.reached} of {count} still right at the largest epsilon, where none should be: gradients may be "
            "masked (Athalye et al. 2018); try more steps and restarts"
        )
    if flat:
        lines.append(
            f"{len(flat)} of {count} attacked pictures had a gradient of 0, which hides the way (Athalye et al. 2018)"
        )
    _write(folder, points, naming.classifier_name(config), f"{wanted.title}, {_steps(session)}")
    for line in lines:
        print(f"note: {line}")
    print(f"\ncurve       {folder / 'curve.png'}\ntable       {folder / 'curve.csv'}")
    print(f"run         {log_pictures(config, folder, f'{config.method} curve', {'curve': folder / 'curve.png'})}")
    return 0


def _holds(outcome: Outcome) -> bool:
    """Whether the network still says what it said, whatever it was to say instead."""
    return not outcome.success and outcome.after[0].number == outcome.before[0].number


def _single_step(session: Session, folder: Path, iterated: dict[str, Outcome]) -> list[str]:
    """A warning if one step fools more pictures than many: a sign of masked gradients."""
    if find_method(session.config.method).name == "fgsm":
        return []
    epsilon = next(iter(iterated.values())).epsilon
    about = session.about(epsilon=epsilon, method="fgsm")
    found = session.attack(
        session.plan([epsilon], METHODS["fgsm"]), folder / "one-step", about, list(iterated), "one step"
    )
    once = sum(bool(each.success) for each in found.values() if isinstance(each, Outcome))
    often = sum(bool(each.success) for each in iterated.values())
    if once <= often:
        return []
    return [f"one step fools {once} pictures, many steps {often}: gradients may be masked (Athalye et al. 2018)"]


def _steps(session: Session) -> str:
    steps, starts = session.plan([1.0]).steps(1.0).number, session.config.restarts
    return f"{steps} step{'s' * (steps > 1)}, {starts} start{'s' * (starts > 1)}"


def _write(folder: Path, points: Mapping[float, Success], name: str, title: str) -> None:
    """Write curve.csv and curve.png."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["epsilon", "accuracy", "low", "high", "right", "of"])
    for epsilon, right in points.items():
        table.writerow([f"{value:.6g}" for value in (epsilon, right.share, *right.interval)] + [*right])
    write_text(folder / "curve.csv", text.getvalue())
    places = {float(place): _name(epsilon) for place, epsilon in enumerate(points)}
    write_curves(
        folder / "curve.png",
        {name: list(zip(places, points.values(), strict=True))},
        across="epsilon",
        up="accuracy, of pictures that it had right",
        title=title,
        ticks=places,
    )


def _name(epsilon: float) -> str:
    known = {value: name for each in EPSILONS.values() for name, value in each.items()}
    return known.get(epsilon, f"{epsilon:g}")
