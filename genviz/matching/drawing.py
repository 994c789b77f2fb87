"""Réda & Xu's Figures 6 and 7: the pictures that contribute most, and what of them matches."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genviz.files import atomic_write
from genviz.matching.consensus import Matched
from genviz.matching.traced import Traced, first_name

_BLUE, _COLOURS = "#2f5fb3", {"other pictures": "#c0562b", "their noise": "#3c8a4e", "noise": "#777777"}
_LINES = 40  # of the matches of two pictures, evenly chosen
_ROOM = 17  # characters of a name under a bar


def write_bars(path: Path, found: Traced, thumbnails: Mapping[str, np.ndarray], most: int = 11) -> None:
    """Write the highest bars with their standard deviations, thumbnails beneath, baselines as lines; a PNG, atomically.

    Args:
        thumbnails: of the pictures by name, RGB bytes (h, w, 3).
        most: how many bars.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    from matplotlib.ticker import PercentFormatter  # takes a third of a second

    best = found.ranked()[:most]
    width = max(5.5, 1.1 * len(best) + 1.2)
    figure = _figure(width, 4.9)
    grid = figure.add_gridspec(2, len(best), height_ratios=(3.4, 1), wspace=0.08, hspace=0.08)
    axes = figure.add_subplot(grid[0, :])
    several = len(found.images) > 1
    axes.bar(
        range(len(best)),
        found.mean[best],
        0.7,
        yerr=found.sd[best] if several else None,
        color=_BLUE,
        ecolor="black",
        capsize=3,
    )
    ends = [found.mean[best] + (found.sd[best] if several else 0)]
    for name, value, label in _lines(found):
        axes.axhline(value, color=_COLOURS[name], linestyle="--" if name != "noise" else "-", label=label)
        ends.append(np.array([value]))
    axes.set(xlim=(-0.5, len(best) - 0.5), xticks=[])
    high = max(float(end.max()) for end in ends)
    axes.set_ylim(0, 1.3 * high or 1)  # room for the legend
    if found.unit == "inliers":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if high > 0.1 else 1))
    measure = "share of the inliers" if found.unit == "inliers" else "cosine"
    over = f"mean and sd of {len(found.images)} pictures" if several else first_name(found.images[0])
    axes.set_title(f"{found.method}: {over}", fontsize=11, parse_math=False)
    axes.set_ylabel(measure)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper right", ncols=2, fontsize=9)
    for place, number in enumerate(best):
        name = found.pictures[number]
        below = figure.add_subplot(grid[1, place])
        below.imshow(thumbnails[name])
        below.set(xticks=[], yticks=[])
        below.spines[:].set_color("#cccccc")
        below.set_xlabel(_short(Path(first_name(name)).stem), fontsize=8, labelpad=3, parse_math=False)
    _write(path, figure)


def _lines(found: Traced) -> list[tuple[str, float, str]]:
    lines = []
    if found.chance is not None:
        lines.append(("noise", found.chance[1], "highest with noise for the image"))
    titles = {"their noise": "highest of noise for the pictures", "other pictures": "highest of other pictures"}
    return lines + [(name, float(values.max()), titles[name]) for name, values in found.levels.items()]


def write_matches(
    path: Path, method: str, pairs: Sequence[tuple[str, np.ndarray, str, np.ndarray, Matched]], size: int
) -> None:
    """Write pairs of pictures side by side, a line for each match; a PNG, atomically.

    Args:
        method: its name, for the titles.
        pairs: each a generated picture and a real one, with their names, RGB bytes (size, size, 3), and their matches.
        size: side of the pictures, in pixels, in which the matches count.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    from skimage.feature import plot_matched_features

    across = min(2, len(pairs))
    down = -(-len(pairs) // across)
    figure = _figure(6.0 * across, 3.4 * down)
    for place, (image, ours, picture, theirs, matched) in enumerate(pairs):
        axes = figure.add_subplot(down, across, place + 1)
        chosen = np.unique(np.linspace(0, matched.inliers - 1, min(_LINES, matched.inliers)).round().astype(int))
        gap = np.full((size, max(2, size // 25), 3), 255, np.uint8)
        wide = np.concatenate((ours, gap), 1)
        plot_matched_features(
            wide,
            np.concatenate((theirs, gap), 1),
            keypoints0=matched.ours,
            keypoints1=matched.theirs,
            matches=np.stack((chosen, chosen), 1),
            ax=axes,
            only_matches=True,
            matches_color=[_ramp(number / max(1, len(chosen) - 1)) for number in range(len(chosen))],
        )
        for line in axes.lines:
            line.set(linewidth=1.0, marker="o", markersize=2.5)
        axes.set_axis_off()
        few = f", {len(chosen)} of them drawn" if len(chosen) < matched.inliers else ""
        told = f"{method}: {matched.inliers} of {matched.candidates} matches{few}"
        names = f"{_short(first_name(image), 24)} and {_short(first_name(picture), 24)}"
        axes.set_title(f"{names}\n{told}", fontsize=9, parse_math=False)
    _write(path, figure)


def _ramp(share: float) -> Any:
    import matplotlib as mpl

    return mpl.colormaps["turbo"](0.1 + 0.8 * share)


def _short(name: str, room: int = _ROOM) -> str:
    return name if len(name) <= room else f"{name[: room - 6]}…{name[-5:]}"


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _write(path: Path, figure: Any) -> None:
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a name, that the font lacks
        figure.savefig(drawn, format="png", metadata={"Software": "genviz"})
    with atomic_write(path) as file:
        file.write(drawn.getvalue())
