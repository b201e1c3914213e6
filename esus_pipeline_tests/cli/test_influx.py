"""`esus influx init` against the set-up API over a socket, and what `esus doctor` finds on the real target."""

import stat

import pytest

from esus_pipeline_tests.influx.setup_api import ADMIN, serving_setup
from esus_pipeline_tests.real.processes import free_port


@pytest.fixture
def api():
    with serving_setup() as api:
        yield api


@pytest.fixture
def init(esus, api, tmp_path):
    def run(*options: str, **settings: str):
        given = {"INFLUXDB_URL": api.url, "INFLUXDB_ORG": "esus", "INFLUXDB_BUCKET": "esus"}
        folder = ("--secrets", str(tmp_path / "secrets"))
        return esus("influx", "init", *folder, *options, **{**given, "INFLUXDB_ADMIN_TOKEN": ADMIN, **settings})

    return run


def test_it_makes_everything_once_with_the_least_rights_and_shows_no_token(init, api, tmp_path):
    done = init("--retention-days", "730")
    assert done.exit_code == 0, done.output
    assert api.calls == [("POST", "buckets"), ("POST", "dbrps"), ("POST", "authorizations"), ("POST", "authorizations")]
    [bucket], [mapping] = api.buckets, api.mappings
    assert bucket["retentionRules"] == [{"type": "expire", "everySeconds": 730 * 86_400}]
    assert (mapping["bucketID"], mapping["database"], mapping["default"]) == (bucket["id"], "esus", True)
    rights = [
        [(each["action"], each["resource"]["type"], each["resource"]["id"]) for each in authorization["permissions"]]
        for authorization in api.authorizations
    ]
    assert rights == [[("write", "buckets", bucket["id"])], [("read", "buckets", bucket["id"])]]
    files = [tmp_path / "secrets" / name for name in ("influxdb_token", "influxdb_read_token")]
    assert [file.read_text(encoding="utf-8").strip() for file in files] == api.secrets
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert not any(secret in done.output for secret in [*api.secrets, ADMIN])
    again = init("--retention-days", "730")
    assert again.exit_code == 0
    assert len(api.calls) == 4, "the second time changes nothing"
    assert "is there" in again.output


def test_retention_changes_only_when_asked_and_rotation_ends_the_old_tokens(init, api, tmp_path):
    assert init().exit_code == 0
    assert "kept for ever and are now kept 30 days" in init("--retention-days", "30").output
    assert "points are kept 30 days" in init().output
    before = [each["id"] for each in api.authorizations]
    done = init("--rotate")
    assert "replaced" in done.output
    assert len(api.authorizations) == 2
    assert not {each["id"] for each in api.authorizations} & set(before)
    assert (tmp_path / "secrets" / "influxdb_token").read_text(encoding="utf-8").strip() == api.secrets[2]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"INFLUXDB_ADMIN_TOKEN": "wrong-token"},
            "answered 401 (unauthorized access): it does not know INFLUXDB_ADMIN",
        ),
        ({"INFLUXDB_ADMIN_TOKEN": ""}, "INFLUXDB_ADMIN_TOKEN is not set"),
        ({"INFLUXDB_ORG": "nobody"}, "There is no organisation nobody; check INFLUXDB_ORG"),
        ({"INFLUXDB_URL": ""}, "INFLUXDB_URL must be an address"),
        ({"INFLUXDB_URL": f"http://127.0.0.1:{free_port()}"}, "does not answer"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(init, api, settings, told):
    done = init(**settings)
    assert done.exit_code == 1
    assert told in done.output
    assert "wrong-token" not in done.output
    assert api.calls == []


def test_a_database_name_of_another_bucket_is_not_taken_away(init, api):
    api.mappings.append({"id": "d1", "orgID": "o", "bucketID": "other", "database": "esus", "default": True,
                         "retention_policy": "autogen", "virtual": False})  # fmt: skip
    done = init()
    assert done.exit_code == 1
    assert "belongs to another bucket (other)" in done.output


def told_about_influxdb(esus, **settings: str) -> list[str]:
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = esus("doctor", ESUS_FORECAST_URL=nowhere, ESUS_FORECAST_FALLBACK_URL=nowhere, **settings)
    return [line for line in done.output.splitlines() if line[8:].startswith("influxdb")]


@pytest.mark.real
def test_the_doctor_tries_what_each_token_can_do(esus, influx):
    settings = {**influx.environment, "INFLUXDB_READ_TOKEN": influx.read_token}
    told = told_about_influxdb(esus, **settings)
    host = influx.url.removeprefix("http://")
    assert told[:3] == [
        f"ok      influxdb  {host} answers, InfluxDB 1.6.7~rc0",
        "ok      influxdb  INFLUXDB_TOKEN can write to esus and cannot read",
        "ok      influxdb  INFLUXDB_READ_TOKEN can read database esus by InfluxQL and cannot write",
    ]
    assert told[3].startswith("warning influxdb  retention of esus could not be read (501)")
    assert influx.query("SHOW MEASUREMENTS") == [], "looking leaves nothing behind"
    swapped = {"INFLUXDB_TOKEN": influx.read_token, "INFLUXDB_READ_TOKEN": influx.token}
    told = told_about_influxdb(esus, **{**settings, **swapped})
    assert told[1].startswith("FAILED  influxdb  INFLUXDB_TOKEN cannot write to esus: 403, the token may not write")
    assert told[2].startswith("FAILED  influxdb  INFLUXDB_READ_TOKEN cannot read database esus by InfluxQL")
    told = told_about_influxdb(esus, **{**settings, "INFLUXDB_BUCKET": "absent"})
    assert told[1].startswith("FAILED  influxdb  INFLUXDB_TOKEN cannot write to absent: 404")


def test_the_doctor_says_when_there_is_no_influxdb(esus):
    assert told_about_influxdb(esus) == ["ok      influxdb  is not configured; nothing is delivered"]
    nobody = {"INFLUXDB_URL": f"http://127.0.0.1:{free_port()}", "INFLUXDB_ORG": "o", "INFLUXDB_BUCKET": "b"}
    [told] = told_about_influxdb(esus, **nobody)
    assert told == "FAILED  influxdb  INFLUXDB_TOKEN is not set; InfluxDB needs all four INFLUXDB_ settings."
    [told] = told_about_influxdb(esus, **nobody, INFLUXDB_TOKEN="t")
    assert told.startswith("FAILED  influxdb  127.0.0.1:")
    assert "does not answer (ConnectError)" in told
