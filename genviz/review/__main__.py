"""Look at what came out of many targets: python -m genviz.review outputs/ [--pictures FOLDER]

Writes index.html, which a browser opens without a server, index.csv, and contact sheets beside the runs.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from genviz.errors import UserError
from genviz.review.collect import told
from genviz.review.write import Review, review


def main() -> int:
    """Review the folder that the arguments name; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m genviz.review", description=__doc__.partition("\n\n")[2])
    parser.add_argument("folder", nargs="?", default="outputs", type=Path, help="what train.py writes to (outputs/)")
    parser.add_argument("--pictures", metavar="FOLDER", type=Path, help="real pictures, named by their classes")
    arguments = parser.parse_args()
    try:
        made = review(arguments.folder.expanduser(), arguments.pictures)
    except UserError as error:
        print(f"genviz.review: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("genviz.review: interrupted; the same command goes on", file=sys.stderr)
        return 130
    for line in _lines(made, with_pictures=arguments.pictures is not None):
        print(line)
    return 0


def _lines(made: Review, *, with_pictures: bool) -> list[str]:
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


if __name__ == "__main__":
    sys.exit(main())
