"""How one InfluxDB is reached, and what can go wrong on the way. No environment is read here, and nothing is sent."""

import re
from dataclasses import dataclass, field

import httpx

_PRINTABLE = re.compile(r"[!-~]+")


class InfluxError(Exception):
    """InfluxDB did not take what it was given; the message says what to do and holds no secret."""


class InfluxConfigError(InfluxError, ValueError):
    """A setting of the connection is missing or cannot be right."""


class InfluxUnavailable(InfluxError):  # noqa: N818 (a state of the server, not a mistake)
    """InfluxDB does not answer, or answers that it cannot now; nothing is lost, send again later."""


@dataclass(frozen=True)
class InfluxConfig:
    """Connection to one bucket. Times are in seconds; a wrong setting raises InfluxConfigError."""

    url: str
    """The address before `/api/v2`, without user or password."""
    org: str
    bucket: str
    token: str = field(repr=False)
    """May write to the bucket, and need not be able to do anything else."""
    request_timeout_s: float = 30.0
    deadline_s: float = 120.0
    """How long one batch is sent again while InfluxDB is unavailable, counted from its first try."""

    def __post_init__(self) -> None:
        """Refuses what could leak a secret or could not work."""
        check_address(self.url)
        for name in ("org", "bucket", "token"):
            if not getattr(self, name):
                raise InfluxConfigError(
                    f"INFLUXDB_{name.upper()} is not set; InfluxDB needs all four INFLUXDB_ settings."
                )
        if not _PRINTABLE.fullmatch(self.token):
            raise InfluxConfigError("INFLUXDB_TOKEN holds characters that no token has; copy it again.")

    @property
    def host(self) -> str:
        """Host and port: the only part of the address that messages name."""
        return httpx.URL(self.url).netloc.decode("ascii")

    def redact(self, text: str) -> str:
        """The text without the token."""
        return text.replace(self.token, "***")


def check_address(url: str) -> None:
    """InfluxConfigError unless `url` is a plain http or https address."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise InfluxConfigError("INFLUXDB_URL must be an address such as http://127.0.0.1:8086 (http or https).")
    if address.userinfo or address.query or address.fragment:
        raise InfluxConfigError("INFLUXDB_URL must be the plain address, without user, password, '?' or '#'.")
