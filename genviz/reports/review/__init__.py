"""An overview of many runs: a page, contact sheets and a table."""

from genviz.reports.review.write import write_review

__all__ = ["write_review"]
