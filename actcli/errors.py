"""Errors that are not defects of actcli: the command line prints them in one or two lines.

Any other exception is a defect and keeps its traceback.
"""


class ActcliError(Exception):
    """Something could not be done: a damaged file, a full disk, a training that diverged.

    Args:
        message: what is wrong, and where (file, key, option), without a final full stop.
        hint: what is allowed, or what to try.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}. {self.hint}"


class UsageError(ActcliError):
    """A mistake in the use: an option, a value, a key of a configuration file."""


class DataError(ActcliError):
    """A file that is damaged, or does not hold the data that it should."""


class DivergedError(ActcliError):
    """A training whose loss, or one of whose parameters, is no longer finite."""
