"""The set-up API of InfluxDB 2.x on a real socket, as far as `esus influx init` uses it.

InfluxDB 2.x cannot run here. The shapes (paths, names, status codes, that a token is shown only when it is made) are
those of InfluxDB's published OpenAPI description of v2.7; influxdb-client, unmodified, speaks to it.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN = "admin-token"
ORG = {"id": "0a0b0c0d0e0f0001", "name": "esus"}


class SetupApi(ThreadingHTTPServer):
    """Buckets, mappings and authorizations in memory; `calls` are the requests that changed something."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: list[dict[str, Any]] = []
        self.mappings: list[dict[str, Any]] = []
        self.authorizations: list[dict[str, Any]] = []
        self.secrets: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        parts = path.removeprefix("/api/v2/").split("/")
        if method != "GET":
            self.calls.append((method, parts[0]))
        if parts[0] == "orgs":
            return 200, {"orgs": [ORG] if query["org"] == [ORG["name"]] else []}
        return _RESOURCES[parts[0]](self, method, parts[1:], query, body)


def _buckets(api: SetupApi, method: str, rest: list[str], query: Any, body: Any) -> tuple[int, Any]:
    if method == "POST":
        assert body["orgID"] == ORG["id"]
        bucket = {"id": f"b{len(api.calls):015x}", "type": "user", **body}
        api.buckets.append(bucket)
        return 201, bucket
    if method == "PATCH":
        [bucket] = [each for each in api.buckets if each["id"] == rest[0]]
        bucket["retentionRules"] = body["retentionRules"]
        return 200, bucket
    return 200, {
        "links": {"self": "/api/v2/buckets"},
        "buckets": [each for each in api.buckets if each["name"] == query["name"][0]],
    }


def _dbrps(api: SetupApi, method: str, rest: list[str], query: Any, body: Any) -> tuple[int, Any]:
    if method == "POST":
        mapping = {"id": f"d{len(api.calls):015x}", "virtual": False, **body}
        api.mappings.append(mapping)
        return 201, mapping
    virtual = [
        {"id": bucket["id"], "orgID": ORG["id"], "bucketID": bucket["id"], "database": bucket["name"],
         "retention_policy": "autogen", "default": True, "virtual": True}
        for bucket in api.buckets
    ]  # fmt: skip
    return 200, {"content": [each for each in api.mappings + virtual if each["database"] == query["db"][0]]}


def _authorizations(api: SetupApi, method: str, rest: list[str], query: Any, body: Any) -> tuple[int, Any]:
    if method == "POST":
        secret = f"secret-{len(api.calls)}-{body['permissions'][0]['action']}=="
        api.secrets.append(secret)
        shown = {"id": f"a{len(api.calls):015x}", "status": "active", "org": ORG["name"], **body}
        api.authorizations.append(shown)
        return 201, {**shown, "token": secret}
    if method == "DELETE":
        api.authorizations = [each for each in api.authorizations if each["id"] != rest[0]]
        return 204, None
    return 200, {"links": {"self": "/api/v2/authorizations"}, "authorizations": api.authorizations}


_RESOURCES = {"buckets": _buckets, "dbrps": _dbrps, "authorizations": _authorizations}


class _Handler(BaseHTTPRequestHandler):
    server: SetupApi

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        if self.headers["Authorization"] != f"Token {ADMIN}":
            status, answer = 401, {"code": "unauthorized", "message": "unauthorized access"}
        else:
            status, answer = self.server.answer(
                self.command, url.path, parse_qs(url.query), json.loads(body) if body else None
            )
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 (names that the base class calls)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving_setup() -> Iterator[SetupApi]:
    with SetupApi() as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield api
        api.shutdown()
