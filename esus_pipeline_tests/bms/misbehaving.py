"""A small HTTP server on a raw socket that does what a test tells it, and remembers what it was asked."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    path: str
    ids: tuple[int, ...]
    query: dict[str, list[str]]
    headers: dict[str, str]
    at: float


Answer = bytes | Iterable[bytes]
Behaviour = Callable[[Request], Answer]


@dataclass
class Server:
    """Every answer is the bytes that `behave` gives; an iterable is sent piece by piece, then the connection closes."""

    behave: Behaviour
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    connections: int = 0

    def __post_init__(self):
        self._lock = threading.Lock()
        self._active = 0
        self._closing = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def accept_forever(self):
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def close(self):
        self._closing.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def sleep(self, seconds):
        """Sleeps, but not longer than the test."""
        self._closing.wait(seconds)

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while request := _read_request(stream):
                    if not self._answer(connection, request):
                        return
            except OSError:
                return

    def _answer(self, connection, request):
        with self._lock:
            self.requests.append(request)
            self._active += 1
            self.most_at_once = max(self.most_at_once, self._active)
        try:
            answer = self.behave(request)
            if isinstance(answer, bytes):
                connection.sendall(answer)
                return True
            for piece in answer:
                connection.sendall(piece)
            return False
        finally:
            with self._lock:
                self._active -= 1


def _read_request(stream):
    line = stream.readline().decode("latin-1").split()
    if not line:
        return None
    headers = {}
    while header := stream.readline().decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    target = urlsplit(line[1])
    query = parse_qs(target.query)
    ids = tuple(int(text) for text in query.get("externallogid", []))
    return Request(target.path, ids, query, headers, time.monotonic())


@contextmanager
def serving(behave):
    server = Server(behave)
    thread = threading.Thread(target=server.accept_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)


def http(status, body=b"", **headers):
    """One complete answer with a Content-Length; header names are written with underscores."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def record(point, stamp="2026-01-10T12:00:00", value=1.5, zone="UTC"):
    return {"externallogid": point, "timestamp": stamp, "timestamp_tzinfo": zone, "value": value}


def good(request):
    """One reading for each point asked for."""
    return http(200, json.dumps([record(point) for point in request.ids]).encode())
