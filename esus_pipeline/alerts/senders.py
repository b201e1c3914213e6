"""Ways out: a mail server and a webhook. One call sends one message once, within a deadline, or raises SendError.

Belongs here: protocols. Does not belong here: what a message says (see words) and when to try again (see deliver).
No error text holds an address of a webhook, a user or a password: such addresses are secrets themselves.
"""

import asyncio
import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from esus_pipeline.alerts.condition import one_line

DEADLINE_S = 15.0
"""All of one sending: connection, TLS, login and message."""
_SCHEMES = {"smtps": 465, "smtp": 587, "smtp+plain": 25}


class AlertConfigError(ValueError):
    """A setting of the alerts that cannot be used; the message says what to set."""


class SendError(Exception):
    """A message was not accepted; the text is for a person and holds no secret."""


class Sender(Protocol):
    """A way out."""

    @property
    def channel(self) -> str:
        """Name in the outbox, stable and without secrets."""

    def send(self, mail: EmailMessage, chat: dict[str, object]) -> None:
        """Send one message in the form that fits; SendError where it was not accepted."""


@dataclass(frozen=True)
class MailServer:
    """A mail server by its address: smtps:// (TLS), smtp:// (STARTTLS, required) or smtp+plain:// (a local relay)."""

    url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """AlertConfigError for an address that cannot be used, or credentials that would be seen on the way."""
        if self.scheme not in _SCHEMES or not self.host:
            raise AlertConfigError(
                "ESUS_ALERT_SMTP_URL must be smtps://host (TLS), smtp://host (STARTTLS) or smtp+plain://host (a relay "
                "on this machine or network that takes no password); a port may follow the host."
            )
        if "@" in urlsplit(self.url).netloc:
            raise AlertConfigError(
                "ESUS_ALERT_SMTP_URL must not contain a user or password: set ESUS_ALERT_SMTP_USERNAME and "
                "ESUS_ALERT_SMTP_PASSWORD instead."
            )
        if self.username and self.scheme == "smtp+plain":
            raise AlertConfigError("ESUS_ALERT_SMTP_URL smtp+plain:// would show the password: use smtp:// or smtps://")

    @property
    def scheme(self) -> str:
        """How the connection is protected."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port, by default the scheme's."""
        try:
            return urlsplit(self.url).port or _SCHEMES[self.scheme]
        except ValueError:
            raise AlertConfigError("ESUS_ALERT_SMTP_URL has a port that is not a number up to 65535.") from None


@dataclass(frozen=True)
class Mail:
    """One recipient behind a mail server: each gets a mail of his own, so one refusal costs nobody else his."""

    server: MailServer
    sender: str
    recipient: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """For tests; by default the system's certificates are trusted."""
    deadline_s: float = DEADLINE_S

    @property
    def channel(self) -> str:
        """The recipient's address."""
        return f"mail to {self.recipient}"

    def send(self, mail: EmailMessage, chat: dict[str, object]) -> None:  # the other form
        """Send the mail to the recipient."""
        mail = _addressed(mail, self.sender, self.recipient)
        where = f"{self.server.host}:{self.server.port}"
        try:
            with self._connected() as smtp:
                smtp.send_message(mail, self.sender, [self.recipient])
        except smtplib.SMTPRecipientsRefused as error:
            raise SendError(f"{where} refuses the recipient: {_said(next(iter(error.recipients.values())))}") from None
        except smtplib.SMTPAuthenticationError as error:
            raise SendError(
                f"{where} refuses the login ({error.smtp_code}): set ESUS_ALERT_SMTP_USERNAME and _PASSWORD"
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise SendError(f"{where} offers no STARTTLS or no login: see ESUS_ALERT_SMTP_URL") from None
        except smtplib.SMTPResponseException as error:
            raise SendError(f"{where} says {_said((error.smtp_code, error.smtp_error))}") from None
        except ssl.SSLError as error:
            raise SendError(f"{where}: no trusted TLS connection ({error.reason or type(error).__name__})") from None
        except (OSError, smtplib.SMTPException) as error:
            raise SendError(f"{where} cannot be reached or broke off ({type(error).__name__})") from None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A session that is cut at the deadline, however slowly the server talks."""
        context = self.tls or ssl.create_default_context()
        server, seconds = self.server, self.deadline_s
        at_once = server.scheme == "smtps"
        session = smtplib.SMTP_SSL(timeout=seconds, context=context) if at_once else smtplib.SMTP(timeout=seconds)
        session._host = server.host  # type: ignore[attr-defined]  # what the certificate must name
        timer = threading.Timer(self.deadline_s, _cut, (session,))
        timer.start()
        try:
            session.connect(server.host, server.port)
            if server.scheme == "smtp":
                session.starttls(context=context)
            if server.username:
                session.login(server.username, server.password)
            yield session
            with suppress(OSError, smtplib.SMTPException):  # the message has been accepted already
                session.quit()
        finally:
            timer.cancel()
            session.close()


@dataclass(frozen=True)
class Webhook:
    """A URL that takes JSON by POST, as chat systems offer."""

    url: str = field(repr=False)
    deadline_s: float = DEADLINE_S

    def __post_init__(self) -> None:
        """AlertConfigError for what is no address."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AlertConfigError("ESUS_ALERT_WEBHOOK_URL must be an address such as https://chat.example.org/hooks/…")

    @property
    def channel(self) -> str:
        """The host; the path is a secret."""
        return f"webhook at {urlsplit(self.url).hostname}"

    def send(self, mail: EmailMessage, chat: dict[str, object]) -> None:  # the other form
        """Post the message; any answer of 200 to 299 is a yes. Redirects are not followed."""
        status = request(self.url, chat, self.deadline_s)
        if not 200 <= status < 300:
            advice = ": is ESUS_ALERT_WEBHOOK_URL right?" if status in (301, 302, 307, 308, 401, 403, 404, 410) else ""
            raise SendError(f"{self.channel} answered {status}{advice}")


def request(url: str, body: dict[str, object] | None, deadline_s: float) -> int:
    """POST JSON, or GET without a body; the status. SendError, which names the host alone."""
    for name in ("httpx", "httpcore"):  # at INFO and below they write the address
        logging.getLogger(name).setLevel(logging.WARNING)
    host = urlsplit(url).hostname
    try:
        return asyncio.run(_request(url, body, deadline_s))
    except TimeoutError:
        raise SendError(f"{host} gave no answer within {deadline_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise SendError(f"{host} cannot be reached or broke off ({type(error).__name__})") from None


async def _request(url: str, body: dict[str, object] | None, deadline_s: float) -> int:
    direct = {"all://localhost": None, "all://127.0.0.1": None}  # never through a proxy of the environment
    client = httpx.AsyncClient(timeout=deadline_s, follow_redirects=False, mounts=direct)
    async with asyncio.timeout(deadline_s), client as http:
        request = http.build_request("GET" if body is None else "POST", url, json=body)
        response = await http.send(request, stream=True)  # nobody reads the body
        await response.aclose()
        return response.status_code


def _addressed(mail: EmailMessage, sender: str, recipient: str) -> EmailMessage:
    for name, value in (("From", sender), ("To", recipient)):
        del mail[name]
        mail[name] = value
    return mail


def _said(answer: tuple[int, bytes | str]) -> str:
    code, text = answer
    return one_line(f"{code} {text.decode('ascii', 'replace') if isinstance(text, bytes) else text}", 160)


def _cut(session: smtplib.SMTP) -> None:
    if session.sock is not None:
        with suppress(OSError):
            session.sock.shutdown(socket.SHUT_RDWR)
