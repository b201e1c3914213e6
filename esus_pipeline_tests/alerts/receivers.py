"""A real mail server and a real HTTP receiver, on free ports of this machine."""

import email
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from esus_pipeline_tests.real.processes import free_port

PASSWORD = "canary-mail-password"


@dataclass
class Mailbox:
    """What a mail server took, and how it behaves."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    """Answers by recipient, in place of taking the mail."""
    answer: str = ""
    """The answer to the message itself, in place of taking it."""

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list):  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer:
            return self.answer
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        self.recipients.extend(envelope.rcpt_tos)
        return "250 taken"


@contextmanager
def mail_server(port: int = 0, box: Mailbox | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """A server; with `tls` it asks for STARTTLS and the password of this module."""
    box = box or Mailbox()
    box.port = port or free_port()
    secured = {"tls_context": tls, "require_starttls": True, "authenticator": _authenticate, "auth_required": True}
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **(secured if tls else {}))
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
    right = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
    return AuthResult(success=right, handled=False)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context of a fresh self-signed certificate for localhost, and that of a client who trusts it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


@dataclass
class Hook:
    """What a webhook received, and what it answers."""

    url: str = ""
    posts: list[dict] = field(default_factory=list)
    gets: int = 0
    status: int = 200
    delay_s: float = 0.0


@contextmanager
def webhook() -> Iterator[Hook]:
    """A receiver whose path is a secret, as those of chat systems are."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            threading.Event().wait(hook.delay_s)
            if hook.status < 300:
                hook.posts.append(json.loads(body))
            self._answer()

        def do_GET(self) -> None:
            hook.gets += 1
            self._answer()

        def _answer(self) -> None:
            self.send_response(hook.status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/hooks/canary-hook-secret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
