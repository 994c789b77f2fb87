"""A quick check whether a server can be reached."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from urllib.parse import urlparse


def why_unreachable(url: str, seconds: float) -> str | None:
    """Why ``url`` does not answer within ``seconds``; None if it does, whatever the status.

    Runs in a thread of its own: a name server can hang past any timeout.
    """
    answer: list[str | None] = []

    def knock() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds):
                answer.append(None)
        except urllib.error.HTTPError:
            answer.append(None)
        except (OSError, ValueError) as error:
            answer.append(str(getattr(error, "reason", error)))

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0] if answer else f"no answer from {urlparse(url).netloc} in {seconds:.0f} s"
