"""The report on a class as one static page, which needs nothing but the pictures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem }
.row { display: flex; flex-wrap: wrap; gap: 1rem }
figure { margin: 0; width: 9.3rem } figure.large { width: 18rem }
img { width: 100%; height: 9.3rem; object-fit: cover; border-radius: 4px; display: block }
figure.large img { height: auto }
figcaption { font-size: .8rem; overflow-wrap: anywhere } .own { color: #176b2c }
table { border-collapse: collapse } td, th { padding: .1rem .8rem .1rem 0; text-align: left }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.note { border-left: 4px solid #b40; padding-left: 1rem } footer { margin-top: 3rem; font-size: .8rem; color: #666 }
"""


def page(facts: dict[str, Any]) -> str:
    """The page on what `genviz.analysis.class_report` has found."""
    label = escape(facts["class"]["label"])
    network = escape(facts["classifier"])
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{label}, as {network} sees it</title>',
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
        f"<h1>What is <em>{label}</em> to {network}?</h1>",
    ]
    if facts["note"] is not None:
        parts.append(f'<p class="note">{escape(facts["note"])}</p>')
    parts += [_picture(facts, label), _filters(facts, label)]
    if facts["folder"] is None:
        parts.append(
            "<h2>The nearest real pictures</h2><p>None: no folder was given. With <code>pictures=FOLDER</code> this "
            "shows what real pictures are near, and what the network calls them.</p>"
        )
    else:
        parts.append(_folder(facts, label))
    made = f"{facts['generator']}, {facts['updates']} updates, seed {facts['seed']}"
    weights = f"{facts['weights']}, sha256 {facts['weights_sha256'][:16]}"
    parts.append(f"<footer>{escape(made)}; {escape(weights)}; genviz {escape(facts['genviz'])}</footer></body></html>")
    return "\n".join(parts) + "\n"


def _picture(facts: dict[str, Any], label: str) -> str:
    own = facts["picture"]
    folder = facts["folder"] is not None
    head = ["class", "score", "probability", *(["the folder's highest"] if folder else [])]
    rows = [
        [
            f"{escape(entry['label'])} ({entry['number']})",
            f"{entry['score']:.2f}",
            f"{entry['probability']:.2%}",
            *([f"{entry['highest_in_folder']:.2f}"] if folder else []),
        ]
        for entry in (own, *own["excites"])
    ]
    rows[0][0] = f'<span class="own">{rows[0][0]}</span>'
    caption = f"made to excite <em>{label}</em>, which comes at rank {own['rank']}"
    return (
        '<h2>Its picture, and what else that excites</h2><div class="row">'
        f"{_figure(own['file'], caption, large=True)}{_table(head, rows)}</div>"
    )


def _filters(facts: dict[str, Any], label: str) -> str:
    if not facts["filters"]:
        return ""
    figures = []
    for entry in facts["filters"]:
        first = (entry, *entry["excites"])
        classes = ", ".join(escape(e["label"]) for e in sorted(first, key=lambda e: -e["probability"])[:3])
        caption = f"<b>{entry['filter']}</b>: {entry['share']:.1%} of what speaks for {label}. Seen as {classes}"
        figures.append(_figure(entry["file"], caption))
    layer = escape(facts["layer"])
    return (
        f"<h2>The filters of {layer} that contribute most</h2>"
        f"<p>Gradient times activation, in {escape(facts['examples'])}; each with the picture that it fires for.</p>"
        f'<div class="row">{"".join(figures)}</div>'
    )


def _folder(facts: dict[str, Any], label: str) -> str:
    told = facts["folder"]
    number = facts["class"]["number"]
    own = sum(entry["called"]["number"] == number for entry in told["nearest"])
    head = ["what the network calls them", "of the nearest", "of the folder"]
    rows = [
        [f"{escape(e['label'])} ({e['number']})", f"{e['nearest']} ({e['share_of_nearest']:.0%})",
         f"{e['share_of_folder']:.1%}"]
        for e in told["classes"]
    ]  # fmt: skip
    damaged = ""
    if told["damaged"]:
        damaged = f"<p>Left out, cannot be decoded: {escape(', '.join(told['damaged']))}.</p>"
    return (
        f"<h2>The nearest real pictures</h2><p>Of {told['pictures']:,} in {escape(told['folder'])}, by the cosine of "
        f"the features (<code>{escape(told['features'])}</code>). The network calls {own} of {len(told['nearest'])} "
        f"<em>{label}</em>.</p>{damaged}"
        f'<div class="row">{"".join(_real(e, number, label, near=True) for e in told["nearest"])}</div>'
        f"<h2>What else belongs to it?</h2>{_table(head, rows)}"
        f"<h2>The real pictures that <em>{label}</em> scores highest</h2>"
        f'<div class="row">{"".join(_real(e, number, label, near=False) for e in told["highest"])}</div>'
    )


def _real(entry: dict[str, Any], number: int, label: str, *, near: bool) -> str:
    called = f"{escape(entry['called']['label'])} {entry['called']['probability']:.0%}"
    if entry["called"]["number"] == number:
        called = f'<span class="own">{called}</span>'
    else:
        called += f"; {label} {entry['probability']:.1%}"
    first = f"{entry['similarity']:.3f}" if near else f"{entry['score']:.2f}"
    caption = f"<b>{first}</b> {called}<br>{escape(entry['name'])}"
    return _figure(entry["file"], caption)


def _figure(file: str, caption: str, *, large: bool = False) -> str:
    kind = ' class="large"' if large else ""
    return f'<figure{kind}><img src="{quote(file)}" alt=""><figcaption>{caption}</figcaption></figure>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    kinds = ["", *[' class="number"'] * (len(head) - 1)]
    top = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"
