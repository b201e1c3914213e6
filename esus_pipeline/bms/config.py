"""How one BMS is reached, and the limits that the client keeps. No environment is read here, and nothing is sent."""

import re
from base64 import b64encode
from dataclasses import dataclass, field

import httpx

from esus_pipeline.bms.errors import BmsConfigError, BmsCredentialsError
from esus_pipeline.bms.stamps import resolve_zone

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:.]+")


@dataclass(frozen=True)
class BmsConfig:
    """Connection to one BMS API v1. Times are in seconds, sizes in bytes; a wrong setting raises BmsConfigError."""

    base_url: str
    """The address before `/api/v1`, without user, password, query or fragment."""
    username: str
    password: str = field(repr=False)
    zone: str
    """IANA name of the zone of stamps that carry neither an offset nor a `timestamp_tzinfo`."""
    connections: int = 2
    """Most requests under way at once; also the size of the connection pool."""
    ids_per_request: int = 50
    request_deadline_s: float = 60.0
    """Total time of one request, from connecting to the last byte."""
    poll_deadline_s: float = 600.0
    """Total time of one `read`; what has been read by then is kept."""
    max_response_bytes: int = 64 * 2**20
    """Largest body, after decompression."""
    attempts: int = 3
    """Tries of one request before its points are asked in smaller parts, or given up."""
    backoff_s: float = 0.5
    """Longest pause after the first failure; doubles with every further failure in a row, up to sixteen times."""

    def __post_init__(self) -> None:
        """Refuses what could leak a secret or could not work."""
        _check_address(self.base_url)
        if not self.username or not self.password:
            raise BmsCredentialsError("The BMS needs a user: set ESUS_BMS_USERNAME and ESUS_BMS_PASSWORD.")
        if resolve_zone(self.zone) is None:
            raise BmsConfigError(f"{self.zone!r} is not an IANA time zone; use a name such as Europe/Copenhagen.")
        for name in ("connections", "ids_per_request", "attempts", "max_response_bytes"):
            if getattr(self, name) < 1:
                raise BmsConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("request_deadline_s", "poll_deadline_s"):
            if getattr(self, name) <= 0:
                raise BmsConfigError(f"{name} must be more than 0 seconds, got {getattr(self, name)}")
        if self.backoff_s < 0:
            raise BmsConfigError(f"backoff_s must not be negative, got {self.backoff_s}")

    @property
    def host(self) -> str:
        """Host and port: the only part of the address that messages name."""
        return httpx.URL(self.base_url).netloc.decode("ascii")

    def redact(self, text: str) -> str:
        """The text without the password, plain or as HTTP basic authentication sends it (some error pages echo it)."""
        token = b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")
        return text.replace(token, "***").replace(self.password, "***")

    def url(self, resource: str) -> str:
        """Address of one resource of the API, such as `trenddata`."""
        return f"{self.base_url.rstrip('/')}/api/v1/{resource}"


def host_of(address: httpx.URL) -> str | None:
    """The host as ASCII; None where it is missing or none that DNS or IP could name."""
    host = address.raw_host.decode("ascii")
    return host if _HOST.fullmatch(host) else None


def _check_address(base_url: str) -> None:
    address = _parse(base_url)
    if address is None or address.scheme not in ("http", "https") or host_of(address) is None:
        raise BmsConfigError("ESUS_BMS_URL must be an address such as https://bms.example.org (http or https).")
    if address.userinfo:
        raise BmsConfigError(
            "ESUS_BMS_URL must not contain a user or password: set ESUS_BMS_USERNAME and ESUS_BMS_PASSWORD instead."
        )
    if address.query or address.fragment:
        raise BmsConfigError("ESUS_BMS_URL must be the plain address before /api/v1, without '?' or '#'.")


def _parse(base_url: str) -> httpx.URL | None:
    try:
        return httpx.URL(base_url)
    except httpx.InvalidURL:
        return None
