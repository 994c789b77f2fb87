"""Output folders as train.py leaves them, without a training."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path

from PIL import Image

NASTY = """class:<script>fired('name')</script>"'&amp; ☃ #1%20?x=\\</script><!--"""
"""A target that no classifier has; a label file can hold nearly all of it."""


def result_of(target: str, **changes: object) -> dict[str, object]:
    """What result.json says of a class."""
    unit = {"unit": target.partition("+")[0], "weight": 1.0, "activation": 12.5, "rank": 1, "of": 1000}
    return {
        "target": target,
        "classifier": "embedded",
        "weights": "embedded.safetensors",
        "weights_sha256": "ab" * 32,
        "generator": "small",
        "generator_sha256": None,
        "trainable_parameters": 1249481,
        "updates": 50,
        "seed": 0,
        "note": None,
        "verdict": "recognised",
        "explanation": f"{target} is at rank 1 of 1000",
        "activation": 12.5,
        "rank": 1,
        "units": [unit],
        "top_classes": [{"number": 593, "label": "harmonica", "probability": 0.75}],
        "measures": {"score": 7.25},
        "display": "rgb",
        "seconds_per_update": 0.125,
        "device": "cpu",
        "versions": {"genviz": "0.1.0", "python": "3.11"},
    } | changes


def make_run(
    root: Path,
    target: str = "class:harmonica",
    *,
    setting: str = "embedded/small",
    folder: str | None = None,
    size: tuple[int, int] = (12, 12),
    colour: str = "red",
    snapshots: tuple[int, ...] = (0, 25, 50),
    bare: bool = False,
    **changes: object,
) -> Path:
    """A finished run, ``bare``: without all but its picture and its result; ``changes`` are of that."""
    place = root / setting / (folder or target.replace(":", "-"))
    place.mkdir(parents=True)
    (place / "result.json").write_text(json.dumps(result_of(target, **changes)))
    if bare:
        (place / "final.png").write_bytes(_png(size, colour))
        return place
    (place / "snapshots").mkdir()
    for path in (place / "final.png", *(place / "snapshots" / f"{update:05d}.png" for update in snapshots)):
        path.write_bytes(_png(size, colour))
    (place / "config.yaml").write_text(
        f"target: {target}\nupdates: 50\nclassifier:\n  weights: default\n  labels: null\n"
    )
    rows = [f"{update},1.0,2.0,{update / 4},3.0" for update in range(1, 51)]
    (place / "metrics.csv").write_text("\n".join(["update,loss,score,activation,rank", *rows]) + "\n")
    return place


@lru_cache
def _png(size: tuple[int, int], colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format="PNG")
    return file.getvalue()


def data_of(page: Path) -> dict:
    """What a page tells its script."""
    return json.loads(page.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0])
