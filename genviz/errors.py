"""Errors that a user can fix."""

from __future__ import annotations

BAD_INPUT, INTERRUPTED = 2, 130
"""Exit codes."""

LONGEST = 300
"""Characters of a message, with the command's name before it."""
_ROOM = 278  # without the longest name, "genviz contributions: "
_WORD = 60
"""Characters of a word, such as a path, that a message keeps in any case."""
_FULL = (
    *("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED"),
    *("Storage size calculation overflowed", "Stride calculation overflowed"),
)
"""What torch says, which has no kind of error for it on a CPU."""


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


class DamagedInstallationError(UserError):
    """A file that comes with genviz is missing or damaged."""


def out_of_memory(error: BaseException) -> bool:
    """Whether it says that there is not enough memory, the host's or a card's."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in _FULL)
    )


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
