"""The report on a class as one static page, which needs only the pictures beside it."""

from __future__ import annotations

from typing import Any

from genviz.reports.rendering import render


def page(facts: dict[str, Any]) -> str:
    """The page about ``facts``, which `genviz.analysis.class_report` has collected."""
    return render("class_page.html", facts=facts, ranked=_ranked(facts["picture"]))


def _ranked(own: dict[str, Any]) -> list[dict[str, Any]]:
    """The class itself and those that its picture excites most, by rank."""
    others = [
        {**entry, "rank": place if place < own["rank"] else place + 1} for place, entry in enumerate(own["excites"], 1)
    ]
    return sorted([own, *others], key=lambda entry: entry["rank"])
