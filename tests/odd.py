"""Odd targets and settings, the same for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

_GOOD = (
    *(
        "class:harmonica",
        "class:tench",
        "class:0",
        "filter:relu1:3",
        "filter:relu1:3+1",
        "neuron:conv1:1:2:3",
        "layer:relu1",
    ),
    *(
        "class:tench@0.7+harmonica@0.3",
        "filter:relu1:top2:tench",
        "filter:conv1:bottom1:harmonica@-1",
        "class:lesser-panda",
    ),
)  # fmt: skip
_PARTS = (
    *(
        "class:",
        "filter:",
        "neuron:",
        "layer:",
        "relu1",
        "conv1",
        ":",
        "+",
        "@",
        "-",
        "top",
        "bottom",
        "all",
        "0",
        "-1",
        "99",
    ),
    *(
        "1e9",
        "@nan",
        "@inf",
        "@1e999",
        "0-5",
        "5-0",
        ",",
        ".",
        "..",
        "/",
        "~",
        "~root",
        "\\",
        "'",
        '"',
        "$",
        "${x}",
        "%s",
    ),
    *(
        "{}",
        "[",
        ")",
        "é",
        "ß",
        "Ａ",
        "１",
        "²",
        "\u0301",
        "日本",
        "\u202e",
        "\x00",
        "\x7f",
        "\n",
        "\r",
        "\t",
        " ",
        "&",
        "|",
    ),
    *(
        "9" * 30,
        "9" * 5000,
        "a" * 300,
        "ä" * 400,
        "class:" * 50,
        "x y " * 200,
        "+" * 400,
        "@" * 400,
        "null",
        "None",
        "true",
        "#",
    ),
)  # fmt: skip


def targets(count: int, seed: int = 0) -> Iterator[str]:
    """Targets with a few characters changed, or put together at random; a few of them are right."""
    draw = random.Random(seed)
    for _ in range(count):
        text = draw.choice(_GOOD)
        kind = draw.random()
        if kind < 0.3:
            text = "".join(draw.choices(_PARTS, k=draw.randint(0, 8)))
        elif kind < 0.4:
            text = "".join(
                chr(draw.choice((draw.randint(1, 127), draw.randint(1, 0x2FFF)))) for _ in range(draw.randint(0, 80))
            )
        else:
            for _ in range(draw.randint(1, 4)):
                place, what = draw.randint(0, len(text)), draw.random()
                put = draw.choice(_PARTS) if what < 0.7 else ""
                text = text[:place] + put + text[place + draw.randint(0, 3) * (what > 0.4) :]
        yield text


_VALUES = (
    *(
        "-1",
        "0",
        "1.5",
        "-0.5",
        "nan",
        "inf",
        "1e400",
        "1e30",
        "true",
        "null",
        "abc",
        "''",
        "[]",
        "[1]",
        "[-1,2]",
        "[a,b]",
        "{}",
    ),
    *(
        "{a: 1}",
        "???",
        "99999999999999999999",
        "-99999999999999999999",
        "x" * 400,
        "é(",
        "0x10",
        "${nothing}",
        "${oc.env:NOTHING}",
    ),
    *("'", '"', "a=b", "1,2", "~", "/nonexistent/x", ".", "..", "/", "None", "NaN", "1 2", "\\", "@", "*"),
)  # fmt: skip


def settings(names: list[str], count: int, seed: int = 0) -> Iterator[str]:
    """Settings with a value that most of them cannot have, a name that there is none of, or without a name."""
    draw = random.Random(seed)
    for _ in range(count):
        name, value, kind = draw.choice(names), draw.choice(_VALUES), draw.random()
        if kind < 0.05:
            yield draw.choice(
                (f"~{name}", f"+{name}={value}", f"~{name}={value}", name, f"={value}", f"{name}.x={value}")
            )
        elif kind < 0.1:
            yield f"{name[:-1]}={value}"
        else:
            yield f"{name}={value}"
