"""How targets are spelt, without what it takes to understand one."""

from __future__ import annotations

import re

from genviz.errors import UserError, shown

EXAMPLES = (
    "class:harmonica, class:ostrich@0.7+bullfrog@0.3, filter:relu5_1:3+7+12, neuron:relu5_1:12:3:4, layer:relu4_3"
)
LISTS = "class:all, class:0-99, filter:fire8:all, class:harmonica,class:zebra, or a file with one target per line"

_STRANGE = re.compile(r"[^\w \-'’.:+@/&()]")


def check_spelling(text: object) -> str:
    """Return ``text`` if it could be a target for some network.

    Raises:
        UserError: it is not a string, is empty, or has a character that no target has.
    """
    if not isinstance(text, str):
        hint = f"; class number {text} is class:{text}" if isinstance(text, int) and not isinstance(text, bool) else ""
        raise UserError(f"target={shown(repr(text))} is not a target{hint}; examples: {EXAMPLES}")
    if not text.strip():
        raise UserError(f"the target is empty; examples: {EXAMPLES}")
    if "," in text:
        raise UserError(f"target {shown(text)!r} contains ','; for several use targets={shown(text)}")
    if strange := _STRANGE.search(text):
        raise UserError(
            f"target {shown(text)!r} contains {strange.group()!r}, which is not allowed; examples: {EXAMPLES}"
        )
    return text
