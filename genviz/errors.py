"""Errors that a user can fix."""

BAD_INPUT, INTERRUPTED = 2, 130
"""Exit codes."""


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
        super().__init__(" ".join(message.split()))


class CannotWriteError(UserError):
    """The disk is full or a folder is not writable, so later writes would fail too."""
