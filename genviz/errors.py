"""What a user did that cannot work."""

BAD_INPUT, INTERRUPTED = 2, 130
"""Exit codes."""


class UserError(Exception):
    """One line that says what is wrong and what would work; the programs print it and exit with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class CannotWriteError(UserError):
    """The disk is full, or a folder cannot be written to: what comes next could not be written either."""
