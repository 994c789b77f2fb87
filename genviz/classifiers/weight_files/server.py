"""A quick check whether a server can be reached."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import urlparse

_ILL = 500  # the first of the status codes by which a server says that it has failed
_LONGEST = 1 << 20  # bytes of an answer


def why_unreachable(url: str, seconds: float) -> str | None:
    """Why ``url`` does not answer within ``seconds``; None if it does, whatever the status."""

    def knock() -> str | None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds):
                return None
        except urllib.error.HTTPError:
            return None

    return _why(url, seconds, knock)


def why_useless(url: str, seconds: float) -> str | None:
    """Why the GraphQL server ``url`` cannot be used; None if it answers in its language within ``seconds``, or refuses.

    A server that is ill answers 500, and one that stands in for it, such as a network's page to log in, HTML.
    """

    def ask() -> str | None:
        asked = urllib.request.Request(url, b'{"query": "{__typename}"}', {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=seconds) as answer:
                said = json.loads(answer.read(_LONGEST))
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}" if error.code >= _ILL else None
        return None if isinstance(said, dict) else "the answer is not a W&B server's"

    return _why(url, seconds, ask)


def _why(url: str, seconds: float, ask: Callable[[], str | None]) -> str | None:
    """What ``ask`` finds, in a thread of its own: a name server can hang past any timeout."""
    answer: list[str | None] = []

    def run() -> None:
        try:
            answer.append(ask())
        except json.JSONDecodeError:
            answer.append("the answer is not a W&B server's")
        except (OSError, ValueError, HTTPException) as error:
            answer.append(str(getattr(error, "reason", error)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0] if answer else f"no answer from {urlparse(url).netloc} in {seconds:.0f} s"
