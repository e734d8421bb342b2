"""What can go wrong and is not a defect of ours: each is told to the user in one or two lines.

Any other exception is a bug and keeps its traceback.
"""


class ActcliError(Exception):
    """It could not be done: a bad file, no space, a training that diverged.

    Args:
        message: what is wrong and where (file, key, option), without a final full stop.
        hint: what is allowed, or what to try.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}. {self.hint}"


class UsageError(ActcliError):
    """It was asked for wrongly: an option, a value, a key of a config file."""


class DataError(ActcliError):
    """A file does not hold what it should."""


class DivergedError(ActcliError):
    """The loss, or a parameter, stopped being a finite number."""
