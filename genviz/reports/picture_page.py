"""The page about one real picture, which needs only the pictures beside it."""

from __future__ import annotations

from typing import Any

from genviz.reports.rendering import render


def page(facts: dict[str, Any]) -> str:
    """The page about ``facts``, which `genviz.analysis.explanation_files` has collected."""
    return render("picture_page.html", facts=facts)
