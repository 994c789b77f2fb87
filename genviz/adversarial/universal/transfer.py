"""How often each network's perturbation fools each other: a table of all that were made."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from genviz.adversarial.success import Success
from genviz.files import read_json, write_text


def write_transfer(root: Path) -> Path:
    """Write ``transfer.csv`` of all ``results.json`` two folders below ``root``; return its path.

    A row for each perturbation, a column for each network that one was tried on: the held-out pictures that are fooled,
    with the 95 % interval.
    """
    rows, networks = [], dict[str, None]()
    for path in sorted(root.glob("*/*/results.json")):
        try:
            found = read_json(path)
            cells = {name: str(Success(each["fooled"], each["pictures"])) for name, each in found["networks"].items()}
            rows.append((found["classifier"], path.parent.name, cells))
        except (ValueError, LookupError, TypeError, AttributeError):  # damaged
            continue
        networks |= dict.fromkeys(cells)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["made on", "how", *networks])
    for made_on, how, cells in rows:
        writer.writerow([made_on, how, *(cells.get(name, "") for name in networks)])
    write_text(root / "transfer.csv", text.getvalue())
    return root / "transfer.csv"
