"""Whether the user is logged in to W&B, found without importing it."""

from __future__ import annotations

import netrc
import os
from collections.abc import Collection


def logged_in(hosts: Collection[str] | None = None) -> bool:
    """Whether there is a key for one of the servers ``hosts``, or for any server at all."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        known = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return False
    return bool(known) if hosts is None else any(host in known or "default" in known for host in hosts)
