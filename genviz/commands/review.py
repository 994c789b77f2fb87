"""genviz review: look at the results of many targets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from genviz.reports.review.write import Review


@click.command("review")
@click.argument("folder", default="outputs", type=click.Path(path_type=Path))
@click.option(
    "--pictures",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Real pictures, named by class, to show beside the generated ones.",
)
def command(folder: Path, pictures: Path | None) -> None:
    """Show the results of runs as a page, sheets and a table.

    FOLDER is the output folder of genviz train, by default outputs/. The page, index.html, opens in a browser without a
    server; the table is index.csv.
    """
    from genviz.reports.review.write import review

    for line in _lines(review(folder.expanduser(), pictures), with_pictures=pictures is not None):
        click.echo(line)


def _lines(made: Review, *, with_pictures: bool) -> list[str]:
    from genviz.reports.review.collect import told

    runs = made.collection.runs
    verdicts = Counter(run.judged[0].verdict for run in runs)
    told_verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.most_common())
    settings = len({run.setting for run in runs})
    lines = [f"{_count(len(made.targets), 'target')} in {_count(settings, 'setting')}: {told_verdicts}"]
    if made.collection.left_out:
        lines.append(f"left out: {told(made.collection.left_out)}")
    if made.real or with_pictures:
        lines.append(f"real pictures beside {_count(made.real, 'target')}")
    lines += [f"page        {made.page}", f"table       {made.table}"]
    if made.sheets:
        more = f", and {len(made.sheets) - 1} more" if len(made.sheets) > 1 else ""
        lines.append(f"sheets      {made.sheets[0]}{more}")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
