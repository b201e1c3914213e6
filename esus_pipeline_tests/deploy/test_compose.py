"""docker-compose.yml, read by Compose: what it starts, what it lets out, what each service may do."""

import re
from pathlib import Path

import pytest
import yaml

from esus_pipeline.settings import SECRETS, VARIABLES
from esus_pipeline_tests.deploy.compose import DEMO, PRODUCTION, REPO, ComposeError, rendered

EXACT = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|WEBHOOK_URL|HEARTBEAT_URL")
RUNS_ONCE = {"influx-init"}


@pytest.fixture(scope="module")
def services():
    return rendered(**DEMO)["services"]


def test_production_is_the_demo_without_the_simulated_building(services):
    assert set(services) - set(rendered(**PRODUCTION)["services"]) == {"simulator"}


def test_a_setting_that_must_be_made_is_asked_for_by_its_name():
    with pytest.raises(ComposeError, match=r"ESUS_BMS_URL is missing a value: set it in \.env"):
        rendered(ESUS_BMS_USERNAME="reader")


def test_every_service_is_shut_in(services):
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), name
        assert int(service["mem_limit"]) <= 4 * 2**30, name
        assert service["cpus"] > 0, name
        assert service["pids_limit"] > 0, name
        assert service["logging"]["options"]["max-size"], name
        assert "privileged" not in service, name
        assert not any("docker.sock" in volume["source"] for volume in service.get("volumes", [])), name


def test_images_have_exact_tags(services):
    for name, service in services.items():
        assert EXACT.fullmatch(service["image"]), (name, service["image"])
    dockerfile = (REPO / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON=python:\d+\.\d+\.\d+-slim$", dockerfile, re.MULTILINE)
    assert dockerfile.count("--require-hashes") == 2


def test_only_nginx_and_the_operators_ui_are_published_and_by_default_to_this_machine_alone(services):
    published = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in service["ports"]]
        for name, service in services.items()
        if "ports" in service
    }
    assert published == {
        "nginx": [("127.0.0.1", "443", 443), ("127.0.0.1", "80", 80)],
        "operator": [("127.0.0.1", "3002", 3002)],
    }
    everywhere = "0.0.0.0"  # noqa: S104
    opened = rendered(**DEMO, ESUS_LISTEN=everywhere)["services"]
    assert [port["host_ip"] for port in opened["nginx"]["ports"]] == [everywhere] * 2
    assert [port["host_ip"] for port in opened["operator"]["ports"]] == ["127.0.0.1"]


def test_databases_have_no_way_out_and_nginx_no_way_to_them(services):
    networks = rendered(**DEMO)["networks"]
    inside = {name for name, network in networks.items() if network.get("internal")}
    assert inside == {"front", "back"}
    reach = {name: set(service["networks"]) for name, service in services.items()}
    assert {name for name, found in reach.items() if "outside" in found} == {"code"}
    for name in ("postgres", "influxdb", "daemon"):
        assert reach[name] == {"back"}
    assert reach["nginx"] == {"public", "front"}


def test_every_service_says_whether_it_works_and_waits_for_what_it_needs(services):
    for name, service in services.items():
        assert name in RUNS_ONCE or service["healthcheck"]["test"], name
        for other, how in (service.get("depends_on") or {}).items():
            wanted = "service_completed_successfully" if other in RUNS_ONCE else "service_healthy"
            assert how["condition"] == wanted, (name, other)
    assert set(services["code"]["depends_on"]) == {"postgres", "influx-init", "simulator"}


def test_no_secret_stands_in_the_environment_and_each_has_one_reader(services):
    readers: dict[str, set[str]] = {}
    for name, service in services.items():
        for variable, value in (service.get("environment") or {}).items():
            if SECRET.search(variable) and not variable.startswith("GF_SECURITY_COOKIE"):
                assert variable.endswith("_FILE"), (name, variable)
                assert value.startswith("/run/"), (name, variable)
        for secret in service.get("secrets", []):
            readers.setdefault(secret["source"], set()).add(service["user"])
    assert {secret for secret, users in readers.items() if len(users) != 1} == set()
    assert set(readers) == set(rendered(**DEMO)["secrets"])


def test_grafana_lets_nobody_in_without_a_name(services):
    settings = services["grafana"]["environment"]
    assert {
        "GF_AUTH_ANONYMOUS_ENABLED": "false",
        "GF_AUTH_BASIC_ENABLED": "false",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_SECURITY_ALLOW_EMBEDDING": "false",
        "GF_SECURITY_COOKIE_SECURE": "true",
        "GF_SECURITY_COOKIE_SAMESITE": "strict",
    }.items() <= settings.items()
    assert settings["GF_SERVER_ROOT_URL"].startswith("https://")
    assert {"GF_SECURITY_ADMIN_PASSWORD__FILE", "GF_SECURITY_SECRET_KEY__FILE"} <= set(settings)


def test_the_set_up_script_makes_every_secret_for_the_user_who_reads_it(services):
    script = (REPO / "deploy" / "setup.sh").read_text(encoding="utf-8")
    ids = dict(re.findall(r"(\w+)=(\d+)", script.split("# the users in docker-compose.yml")[0]))
    made = {secret: ids[user] for secret, user in re.findall(r"put (\w+) \$(\w+)", script)}
    wanted = {
        secret["source"]: service["user"].partition(":")[0]
        for service in services.values()
        for secret in service.get("secrets", [])
    }
    assert made == wanted


def test_every_setting_of_the_pipeline_reaches_the_code_server(services):
    given = set(services["code"]["environment"])
    fixed_by_the_image = {"DAGSTER_HOME"}
    missing = {name for name in VARIABLES if name not in given and not (name in SECRETS and f"{name}_FILE" in given)}
    assert missing - fixed_by_the_image == set(), "add them to the service `code` of docker-compose.yml"


def test_data_is_kept_where_each_program_looks_for_it(services):
    kept = {
        (name, volume["target"])
        for name, service in services.items()
        for volume in service.get("volumes", [])
        if volume["type"] == "volume" and not volume.get("read_only")
    }
    assert ("influxdb", "/var/lib/influxdb2") in kept
    assert ("influxdb", "/var/lib/influxdb") not in kept
    assert ("postgres", "/var/lib/postgresql/data") in kept
    assert ("code", "/var/lib/esus") in kept


def test_what_is_mounted_from_this_folder_is_there(services):
    for service in services.values():
        for volume in service.get("volumes", []):
            assert volume["type"] == "volume" or Path(volume["source"]).exists(), volume["source"]


def test_runs_are_queued_watched_and_forgotten_as_in_the_demo():
    here, demo = (
        yaml.safe_load((REPO / name).read_text(encoding="utf-8"))
        for name in ("deploy/dagster.yaml", "esus_pipeline/demo/dagster.yaml")
    )
    stored = {"storage", "local_artifact_storage", "compute_logs"}
    own = {"event_log_storage", "run_storage", "schedule_storage"}
    assert {key: here[key] for key in here.keys() - stored} == {key: demo[key] for key in demo.keys() - own}


def test_event_writing_is_batched_in_every_process_of_dagster(services):
    for name in ("code", "daemon", "webserver", "operator"):
        environment = services[name]["environment"]
        assert environment["DAGSTER_EVENT_BATCH_SIZE"] == "1000"
        assert environment["DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"] == "1"
        assert environment["DAGSTER_POSTGRES_URL"].startswith("postgresql+psycopg2://")


def test_the_image_is_built_from_the_locked_files_and_nothing_secret_can_get_in():
    dockerfile = (REPO / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    ignored = (REPO / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for word in line.split()
    ]
    assert sources
    for source in sources:
        assert (REPO / source).exists(), source
        assert f"!{source}" in ignored, source
