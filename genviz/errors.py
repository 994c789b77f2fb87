"""Errors that a user can fix."""

from __future__ import annotations

BAD_INPUT, INTERRUPTED = 2, 130
"""Exit codes."""

LONGEST = 300
"""Characters of a message, with the command's name before it."""
_ROOM = 278  # without the longest name, "genviz contributions: "
_WORD = 60
"""Characters of a word, such as a path, that a message keeps in any case."""


class UserError(Exception):
    """One line that says what is wrong and what would work; the commands print it and exit with 2.

    >>> import genviz
    >>> try:
    ...     genviz.visualize("small", "class:harmonika")
    ... except genviz.UserError as error:
    ...     str(error).partition(";")[0]
    "no class is called 'harmonika'"
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, _ROOM))


class CannotWriteError(UserError):
    """The disk is full or a folder is not writable, so later writes would fail too."""


def one_line(message: str, room: int = LONGEST) -> str:
    """``message`` in one line of at most ``room`` characters.

    If it is longer, its longest words lose their middle, and then, if they must, the message does: what is wrong stands
    at its beginning, and what would work at its end.
    """
    words = message.split()
    for word in sorted(set(words), key=len, reverse=True):
        excess = len(" ".join(words)) - room
        if excess > 0 and len(word) > _WORD:
            words = [shown(word, max(_WORD, len(word) - excess)) if other == word else other for other in words]
    return shown(" ".join(words), room)


def shown(text: str, room: int = _WORD) -> str:
    """``text`` if it has at most ``room`` characters, otherwise its beginning and its end."""
    if len(text) <= room:
        return text
    end = room // 3
    return f"{text[: room - end - 1]}…{text[-end:]}"
