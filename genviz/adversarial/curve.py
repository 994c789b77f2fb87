"""Success as a curve."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from genviz.adversarial.success import Success
from genviz.files import atomic_write

_COLOURS = ("#2f5fb3", "#c0562b", "#3c8a4e", "#8a4fa0", "#777777", "#b39b2f")


def write_curves(
    path: Path,
    curves: Mapping[str, Sequence[tuple[float, Success]]],
    *,
    across: str,
    up: str,
    title: str,
    ticks: Mapping[float, str] | None = None,
) -> None:
    """Write curves with their 95 % intervals as a PNG, atomically.

    Args:
        curves: by name, each a list of places on the axis ``across`` and what is measured there.
        up: the name of the other axis.
        ticks: the names of places; None: they are shares.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes a third of a second
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(6.4, 4.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, (name, points) in enumerate(curves.items()):
        places = [place for place, success in points if success.of]
        sound = [success for _, success in points if success.of]
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(places, [success.share for success in sound], "o-", color=colour, label=name, markersize=4)
        low, high = [success.interval[0] for success in sound], [success.interval[1] for success in sound]
        axes.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel=across, ylabel=up, ylim=(-0.02, 1.02))
    axes.set_title(title, parse_math=False)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if ticks is None:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    else:
        axes.set_xticks(list(ticks), list(ticks.values()))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    for text in axes.legend(frameon=False).get_texts():
        text.set_parse_math(False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": "genviz"})
    with atomic_write(path) as file:
        file.write(drawn.getvalue())
