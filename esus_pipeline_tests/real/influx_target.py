"""A real InfluxDB to deliver to: Debian's influxd 1.6.7 behind Debian's nginx, which gives it the write address of 2.x.

`with running(folder) as target:` starts both on free ports of the loopback interface; the fixture `influx` (see the
conftest of all tests) does so once per module. What 1.6.7 cannot show (Flux, bucket and token set-up) answers 501.
Traps that the nginx rules close: 1.6.7 takes unknown precisions as nanoseconds, and 2.x answers 422 for dropped points.
"""

import base64
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest

from esus_pipeline_tests.real.processes import free_port, wait_until

INFLUXD = shutil.which("influxd", path="/usr/bin:/usr/sbin")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
MISSING = " and ".join(
    name for name, found in (("influxdb", INFLUXD), ("nginx-light", NGINX)) if found is None
)  # Debian's package names

INFLUX_CONF = Template("""\
reporting-disabled = true
bind-address = "127.0.0.1:$rpc_port"
[meta]
  dir = "$folder/meta"
[data]
  dir = "$folder/data"
  wal-dir = "$folder/wal"
  index-version = "tsi1"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:$port"
  auth-enabled = true
  log-enabled = false
  max-body-size = 100000000
""")

NGINX_CONF = Template("""\
$user
pid nginx.pid; error_log error.log; daemon off; worker_processes 1; events {}
http {
  access_log off; client_max_body_size 100m; client_body_buffer_size 8m; default_type application/json;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream influxd { server 127.0.0.1:$influxd_port; keepalive 8; }
  map $$http_authorization $$user_of_token {
    default $$http_authorization;
    "Token $token" "Basic $writer";
    "Token $read_token" "Basic $reader";
  }
  map $$arg_precision $$precision { default bad; "" n; ns n; us u; ms ms; s s; }
  map $$arg_bucket $$database { default $$arg_bucket; "~*^(?<d>.+?)(/|%2F)(.+)$$" $$d; }
  map $$arg_bucket $$retention { default ""; "~*^(.+?)(/|%2F)(?<r>.+)$$" $$r; }
  map $$upstream_status $$code { default invalid; 401 unauthorized; 403 forbidden; 404 "not found"; 503 unavailable; }
  map $$upstream_http_x_influxdb_error $$dropped { default 0; "~^partial write: (field type|points beyond)" 1; }
  map $$dropped $$prefix { default ""; 1 "failure writing points to database: "; }
  server {
    listen 127.0.0.1:$port;
    proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Accept-Encoding "";
    proxy_set_header Authorization $$user_of_token;
    location = /api/v2/write {
      limit_except POST { deny all; }
      if ($$precision = bad) {
        return 400 '{"code":"invalid","message":"invalid precision; valid precision units are ns, us, ms, and s"}';
      }
      if ($$arg_bucket = "") { return 404 '{"code":"not found","message":"bucket not found"}'; }
      if ($$arg_org = "") { return 400 '{"code":"invalid","message":"org is required"}'; }
      set $$args "db=$$database&rp=$$retention&precision=$$precision"; rewrite ^ /write break;
      sub_filter_types application/json; sub_filter '{"error":' '{"code":"$$code","message":';
      proxy_intercept_errors on; error_page 400 = @refused;
      proxy_pass http://influxd;
    }
    location @refused {
      add_header X-Influx-Error "$$prefix$$upstream_http_x_influxdb_error" always;
      if ($$dropped) { return 422; }
      return 400 '{"code":"invalid","message":"unparsable line, see X-Influx-Error"}';
    }
    location = /query { proxy_pass http://influxd; }
    location = /ping { proxy_pass http://influxd; }
    location = /health { auth_request /_up; error_page 500 502 = @down; try_files /_ @up; }
    location = /_up {
      internal; proxy_pass http://influxd/ping; proxy_pass_request_body off; proxy_set_header Content-Length "";
    }
    location @up { return 200 '{"name":"influxdb","message":"ready","status":"pass","version":"1.6.7"}'; }
    location @down { return 503 '{"name":"influxdb","status":"fail"}'; }
    location /api/ { return 501 '{"code":"not implemented","message":"not on InfluxDB 1.6.7"}'; }
  }
}
""")


class InfluxTarget:
    """One influxd behind one nginx. `token` may write and not read, `read_token` may read and not write."""

    org = "esus"
    bucket = "esus"

    def __init__(self, folder: Path, port: int = 0, read_token: str = "") -> None:
        self._folder = folder
        self._port, self._database_port, self._backup_port = port or free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.token, self._admin = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self.read_token = read_token or secrets.token_urlsafe(16)
        self._influxd: subprocess.Popen[bytes] | None = None
        self._nginx: subprocess.Popen[bytes] | None = None
        for name in ("influx", "nginx"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "influx" / "influxdb.conf").write_text(
            INFLUX_CONF.substitute(folder=folder / "influx", port=self._database_port, rpc_port=self._backup_port)
        )
        (folder / "nginx" / "nginx.conf").write_text(
            NGINX_CONF.substitute(
                user="user root;" if os.geteuid() == 0 else "",  # its workers must enter the tests' private folders
                port=self._port,
                influxd_port=self._database_port,
                token=self.token,
                read_token=self.read_token,
                writer=_basic("writer", self.token),
                reader=_basic("reader", self.read_token),
            )
        )

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a pipeline that delivers here."""
        return {
            "INFLUXDB_URL": self.url,
            "INFLUXDB_ORG": self.org,
            "INFLUXDB_BUCKET": self.bucket,
            "INFLUXDB_TOKEN": self.token,
        }

    @property
    def administration(self) -> dict[str, str]:
        """Where and as whom the database itself is administered and backed up."""
        return {
            "STAND_IN_URL": f"http://127.0.0.1:{self._database_port}",
            "STAND_IN_RPC": f"127.0.0.1:{self._backup_port}",
            "STAND_IN_ADMIN": f"admin:{self._admin}",
        }

    def start(self) -> None:
        """Start both, make the users and the empty database."""
        self.start_database()
        self._administer(f"CREATE USER admin WITH PASSWORD '{self._admin}' WITH ALL PRIVILEGES")
        self._administer(f"CREATE USER writer WITH PASSWORD '{self.token}'")
        self._administer(f"CREATE USER reader WITH PASSWORD '{self.read_token}'")
        self.empty()
        self.start_nginx()

    def stop(self) -> None:
        """End both."""
        self.stop_nginx()
        self.kill_database()

    def start_database(self) -> None:
        """Start influxd with what it holds on disk, and wait until it answers."""
        with (self._folder / "influx" / "influxd.log").open("ab") as log:
            self._influxd = subprocess.Popen(
                [str(INFLUXD), "-config", str(self._folder / "influx" / "influxdb.conf")],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until("influxd answers", lambda: _answers(f"http://127.0.0.1:{self._database_port}/ping"), 30, pause=0.02)

    def stop_database(self) -> None:
        """End influxd as an operator does; nginx then answers 502."""
        self._end(self._influxd, signal.SIGTERM)

    def kill_database(self) -> None:
        """kill -9 influxd; nginx then answers 502."""
        self._end(self._influxd, signal.SIGKILL)

    def start_nginx(self) -> None:
        """Start nginx and wait until it answers."""
        folder = self._folder / "nginx"
        with (folder / "output.log").open("ab") as log:
            self._nginx = subprocess.Popen(
                [str(NGINX), "-p", f"{folder}/", "-c", "nginx.conf"], stdout=log, stderr=log, start_new_session=True
            )
        wait_until("nginx answers", lambda: _answers(f"{self.url}/ping"), 30, pause=0.02)

    def stop_nginx(self) -> None:
        """End nginx; connections are then refused."""
        self._end(self._nginx, signal.SIGTERM)

    def empty(self) -> None:
        """Drop every point."""
        self._administer(f"DROP DATABASE {self.bucket}")
        self._administer(f"CREATE DATABASE {self.bucket}")
        self._administer(f"GRANT WRITE ON {self.bucket} TO writer")
        self._administer(f"GRANT READ ON {self.bucket} TO reader")

    def set_retention(self, duration: str) -> None:
        """How long points are kept, such as 30d; `empty` makes it endless again."""
        self._administer(f"ALTER RETENTION POLICY autogen ON {self.bucket} DURATION {duration}")

    def query(self, influxql: str, epoch: str = "ns") -> list[dict[str, Any]]:
        """Rows of an InfluxQL query as the reader, tags of the series included; AssertionError on an error.

        A statement's series are flattened: each row is its columns and tags by name.
        """
        answer = httpx.post(
            f"{self.url}/query",
            params={"db": self.bucket, "epoch": epoch},
            data={"q": influxql},
            headers={"Authorization": f"Token {self.read_token}"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert all("error" not in result for result in results), results
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], row, strict=True))}
            for result in results
            for series in result.get("series", [])
            for row in series.get("values", [])
        ]

    def count(self, measurement: str, field: str = "value") -> int:
        """Points of a measurement that have that field."""
        rows = self.query(f'SELECT count("{field}") FROM "{measurement}"')  # noqa: S608
        return int(rows[0]["count"]) if rows else 0

    def _administer(self, influxql: str) -> None:
        answer = httpx.post(
            f"http://127.0.0.1:{self._database_port}/query",
            data={"q": influxql},
            auth=("admin", self._admin),
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        assert "error" not in answer.json()["results"][0], answer.text

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
        if process is not None and process.poll() is None:
            process.send_signal(how)
            process.wait(30)


@contextmanager
def running(folder: Path) -> Iterator[InfluxTarget]:
    """A started target; skips the test where Debian's packages are not installed."""
    if MISSING:
        pytest.skip(f"needs the real server: apt-get install {MISSING}")
    target = InfluxTarget(folder)
    try:
        target.start()
        yield target
    finally:
        target.stop()


@pytest.fixture(scope="module")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxTarget]:
    """One target for the tests of a module."""
    with running(tmp_path_factory.mktemp("influx")) as target:
        yield target


@pytest.fixture
def influx(influx_server: InfluxTarget) -> InfluxTarget:
    """The module's target without any point."""
    influx_server.empty()
    return influx_server


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 204
    except httpx.TransportError:
        return False
