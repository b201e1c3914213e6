"""The whole system as docker-compose.yml describes it, used through nginx as people use it."""

import json
import re
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from esus_pipeline.demo.dagster_api import DagsterApi
from esus_pipeline_tests.deploy.stack import Stack, running
from esus_pipeline_tests.real.processes import wait_until

pytestmark = pytest.mark.real

RUNS = "{ runsOrError { ... on Runs { results { runId status pipelineName tags { key value } } } } }"
DELETE = 'mutation { deletePipelineRun(runId: "x") { __typename } }'
LAUNCH = """mutation { launchPartitionBackfill(backfillParams: {
  assetSelection: [{path: ["raw_bms_readings"]}], partitionNames: ["2026-01-01-00:00"]}) {
  __typename ... on UnauthorizedError { message } } }"""
HEADERS = {
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "server": "nginx",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Started once; the tests run inside its network."""
    with running(tmp_path_factory.mktemp("stack"), ESUS_GAP_HOURS="1") as stack, stack.network():
        yield stack


@pytest.fixture
def web(stack: Stack) -> Iterator[httpx.Client]:
    """A browser without any credentials, which trusts the certificate that the set-up script made."""
    trust = ssl.create_default_context(cafile=str(stack.machine.secrets / "tls_certificate"))
    with httpx.Client(base_url="https://localhost", verify=trust, timeout=60) as client:
        yield client


def test_windows_are_made_by_themselves_delivered_and_the_plan_is_there(stack, web):
    def runs() -> list[dict]:
        answer = web.post("/dagster/graphql", json={"query": RUNS}, auth=stack.user)
        return answer.raise_for_status().json()["data"]["runsOrError"]["results"]

    def done() -> list[dict]:
        return [run for run in runs() if run["status"] == "SUCCESS" and run["pipelineName"] == "quarter_hour"]

    wait_until("a window has gone through the chain", done, 300, pause=2.0)
    wait_until("readings are in InfluxDB", lambda: stack.influx.count("clean_series"), 300, pause=2.0)
    plans = ("shade_setpoint_schedule", "shade_position")
    wait_until("plans are in InfluxDB", lambda: stack.influx.count(*plans) > 100, 300, pause=2.0)
    assert int(ask(stack, "select count(*) from event_logs")) > 20
    plan = web.get("/plan/", auth=stack.user)
    assert plan.status_code == 200
    assert "<svg" in plan.text
    assert "script" not in plan.headers["content-security-policy"]
    assert plan.headers["content-security-policy"].startswith("default-src 'none'")


def test_dagsters_pages_and_their_files_are_read_with_the_password(stack, web):
    page = web.get("/dagster/runs", auth=stack.user)
    assert page.status_code == 200
    scripts = re.findall(r'src="(/dagster/[^"]+\.js)"', page.text)
    assert scripts
    assert web.get(scripts[0], auth=stack.user).status_code == 200


@pytest.mark.parametrize("path", ["/dagster/", "/dagster/graphql", "/plan/", "/plan/index.html"])
def test_without_the_password_there_is_nothing(stack, web, path):
    assert web.get(path).status_code == 401
    assert web.post(path, json={"query": RUNS}).status_code in {401, 403}
    assert web.get(path, auth=(stack.user[0], "wrong")).status_code == 401


@pytest.mark.parametrize("mutation", [DELETE, LAUNCH])
def test_whoever_reads_dagster_cannot_change_it(stack, web, mutation):
    answer = web.post("/dagster/graphql", json={"query": mutation}, auth=stack.user).json()
    [result] = answer["data"].values()
    assert result["__typename"] == "UnauthorizedError", answer


def test_the_operator_can_change_it_from_the_machine_itself(stack):
    assert DagsterApi("http://127.0.0.1:3002").ready()
    answer = httpx.post("http://127.0.0.1:3002/graphql", json={"query": DELETE}, timeout=60).json()
    assert answer == {"data": {"deletePipelineRun": {"__typename": "RunNotFoundError"}}}


def test_every_answer_carries_the_headers(stack, web):
    for path, auth in (("/login", None), ("/plan/nothing", stack.user), ("/dagster/", stack.user), ("/dagster/", None)):
        headers = web.get(path, auth=auth).headers
        assert {name: headers.get_list(name) for name in HEADERS} == {name: [value] for name, value in HEADERS.items()}
    assert "frame-ancestors 'none'" in web.get("/dagster/", auth=stack.user).headers["content-security-policy"]


def test_plain_http_leads_to_tls(stack):
    answer = httpx.get("http://localhost/d/rooms?orgId=1")
    assert (answer.status_code, answer.headers["location"]) == (301, "https://localhost/d/rooms?orgId=1")


@pytest.mark.parametrize(("version", "works"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_old_tls_is_refused(stack, version, works):
    words = ["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect", "127.0.0.1:443", "-brief"]
    done = subprocess.run(words, input=b"", capture_output=True, timeout=30)
    assert (done.returncode == 0) is works, done.stderr.decode()


def test_websockets_pass_to_grafana_and_to_dagster(stack):
    trust = ssl.create_default_context(cafile=str(stack.machine.secrets / "tls_certificate"))
    with connect("wss://localhost/api/live/ws", ssl=trust) as socket:
        socket.send("hello")
        assert socket.recv() == "hello"
    password = httpx.BasicAuth(*stack.user)._auth_header
    with connect(
        "wss://localhost/dagster/graphql",
        ssl=trust,
        subprotocols=["graphql-ws"],
        additional_headers={"Authorization": password},
    ) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv())["type"] == "connection_ack"


def test_grafana_hears_the_truth_about_who_asks(stack, web):
    heard = web.get("/api/echo", headers={"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6"}).json()
    assert heard["x-forwarded-for"] == heard["x-real-ip"] == "127.0.0.1"
    assert heard["host"] == "localhost"
    assert heard["x-forwarded-proto"] == "https"
    assert "upgrade" not in heard.get("connection", "")


def test_guessing_passwords_is_slowed_down(stack, web):
    answers = Counter(web.post("/login", json={"user": "admin", "password": "admin"}).status_code for _ in range(6))
    assert answers == {401: 4, 429: 2}
    assert web.get("/login").status_code == 200  # the form itself is not limited


def test_what_is_not_for_readers_is_not_there(stack, web):
    for path in ("/plan/.lock/index", "/plan/.index.html.tmp", "/plan/../archive/", "/plan/%2e%2e/archive/"):
        assert web.get(path, auth=stack.user).status_code in {302, 404}, path
    for path in ("/query?q=SHOW+DATABASES", "/api/v2/write", "/metrics", "/server_info", "/graphql"):
        assert web.get(path).status_code == 404, path  # Grafana's answer: nothing else is behind this name


def test_secrets_are_in_no_log_and_no_file_that_is_written(stack):
    names = ("bms_password", "postgres_password", "influxdb_admin_token", "tls_key")
    needles = [(stack.machine.secrets / name).read_bytes().strip() for name in names]
    assert stack.influx is not None
    needles.append(stack.influx.token.encode())
    folders = [
        stack.folder / "logs",
        *(stack.machine.volumes / name for name in ("data", "dagster", "plan", "postgres")),
    ]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert [path for path in files if any(needle in path.read_bytes() for needle in needles)] == []
    for name in stack.processes:
        words = stack.execute(name, "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout if name != "grafana" else ""
        assert not any(needle.decode() in words for needle in needles), name


def test_services_write_nowhere_but_in_their_volumes(stack):
    places = "/etc/x /var/x /usr/x /x"
    try_all = f"touch {places} 2>/dev/null; ls {places} 2>/dev/null; id -u; grep CapEff /proc/self/status"
    for name in ("code", "webserver", "nginx", "postgres"):
        done = stack.execute(name, "sh", "-c", try_all)
        user = stack.services[name]["user"].partition(":")[0]
        assert done.stdout == f"{user}\nCapEff:\t{0:016}\n"
    assert stack.execute("webserver", "touch", "/var/lib/dagster/x").returncode != 0
    assert stack.execute("nginx", "cat", "/run/secrets/bms_password").returncode != 0


def ask(stack: Stack, sql: str) -> str:
    """An answer of Dagster's database."""
    done = stack.execute("postgres", "psql", "-U", "dagster", "-d", "dagster", "-Atc", sql)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
