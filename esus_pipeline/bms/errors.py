"""What goes wrong when the building is read. No message here holds an address' secrets, a header or a password."""

from esus_pipeline.bms.result import Poll


class BmsError(Exception):
    """The BMS could not be read; the message says what to do."""


class BmsConfigError(BmsError, ValueError):
    """A setting of the connection is missing or cannot be right."""


class BmsCredentialsError(BmsError):
    """User name or password are missing or were refused. Asked once, never retried: repeats lock accounts."""


class BmsUnreachable(BmsError):  # noqa: N818 (a state of the building, not a mistake)
    """Nothing at all could be read. `poll` says what was tried, why each point failed, and holds the quarantine."""

    def __init__(self, message: str, poll: Poll | None = None) -> None:
        """`poll` is missing where no readings were asked for, as in `metadata`."""
        super().__init__(message)
        self.poll = poll
