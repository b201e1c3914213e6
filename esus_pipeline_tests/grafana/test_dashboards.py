"""The committed dashboards, rules and provisioning: as generated, known to Grafana's schema, whole, and consistent."""

import json
import re
import warnings

import pytest
import yaml

from esus_pipeline.control.rules import Rule
from esus_pipeline.quality.states import State
from esus_pipeline_tests.grafana.asked import FOLDER, boards, provisioned, rule_groups

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models import alerting, units
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from grafana.source import plan, quality
    from grafana.source.__main__ import files

BOARDS = boards()
PANELS = [(f"{uid}: {panel['title']}", panel) for uid, board in BOARDS.items() for panel in board["panels"]]
SHOWN = [pytest.param(panel, id=name) for name, panel in PANELS if panel["type"] != "row"]
UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}
RULES = [rule for group in rule_groups() for rule in group["rules"]]


def plain(thing: object) -> object:
    return json.loads(json.dumps(thing, cls=JSONEncoder))


def test_the_committed_dashboards_are_the_generated_ones():
    committed = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "dashboards").glob("*.json")}
    assert committed == files(), "run make dashboards"


def test_grafanas_published_schema_knows_every_field():
    register_default_plugins()
    for board in BOARDS.values():
        known = plain(Dashboard.from_json(board))
        known["links"] = [{key: link[key] for key in link if key != "placement"} for link in known["links"]]
        assert known == board


@pytest.mark.parametrize("panel", SHOWN)
def test_a_panel_says_what_it_shows_in_which_unit_and_what_emptiness_means(panel):
    assert len(panel["description"]) > 20
    if panel.get("targets"):
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS or re.fullmatch(r"suffix: \S+", defaults["unit"])
        assert len(defaults["noValue"]) > 20
        assert panel["datasource"]["uid"] == provisioned("datasources/influxdb.yaml")["datasources"][0]["uid"]
    if panel["type"] in ("timeseries", "state-timeline"):
        assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] == 3_600_000


def test_dashboards_open_by_themselves_and_lead_to_each_other():
    for uid, board in BOARDS.items():
        assert board["refresh"] == "5m"
        assert board["timezone"] == "browser"
        assert board["tags"] == board["links"][0]["tags"] == ["esus"]
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        assert set(re.findall(r"/d/([\w-]+)", json.dumps(board))) <= set(BOARDS), uid
        assert {variable["type"] for variable in board["templating"]["list"]} == {"query"}


def test_the_dashboards_know_the_words_of_the_tables():
    assert set(plan.RULES) <= set(Rule), "a rule without a word shows by its name"
    assert set(quality.STATES) == set(State)


@pytest.mark.parametrize("rule", RULES, ids=[rule["uid"] for rule in RULES])
def test_an_alert_fits_the_schema_and_leads_to_a_panel_about_the_same_thing(rule):
    written = {key: value for key, value in rule.items() if key not in ("dashboardUid", "panelId")}
    known = plain(alerting.Rule.from_json(written))
    assert {key: known[key] for key in written} == written
    [panel] = [panel for panel in BOARDS[rule["dashboardUid"]]["panels"] if panel["id"] == rule["panelId"]]
    asked = rule["data"][0]["model"]["query"]
    [field] = re.findall(r'^SELECT \w+\("(\w+)"\)', asked)
    assert any(f'"{field}"' in target["query"] for target in panel["targets"])
    assert rule["condition"] == rule["data"][-1]["refId"]
    assert "$" not in json.dumps(rule["annotations"]), "Grafana would read a variable of the environment"
    assert len(rule["annotations"]["description"]) > 100


def test_the_container_is_given_what_provisioning_asks_for():
    container = yaml.safe_load((FOLDER.parent / "docker-compose.yml").read_text(encoding="utf-8"))["services"][
        "grafana"
    ]
    assert {"INFLUXDB_URL", "INFLUXDB_BUCKET"} <= set(container["environment"])
    mounted = dict(volume.split(":")[:2] for volume in container["volumes"])
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    assert mounted["influx-reader"] == "/run/influx/reader"
    path = provisioned("dashboards/esus.yaml")["providers"][0]["options"]["path"]
    assert mounted["./grafana/dashboards"] == path
    home = container["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in {f"{path}/{uid}.json" for uid in BOARDS}


def test_provisioning_names_no_secret_and_only_what_the_container_is_given():
    text = (FOLDER / "provisioning" / "datasources" / "influxdb.yaml").read_text(encoding="utf-8")
    [source] = yaml.safe_load(text)["datasources"]
    assert source["secureJsonData"] == {"httpHeaderValue1": "Token $__file{/run/influx/reader/token}"}
    assert set(re.findall(r"\$([A-Z][A-Z_]+)", text)) == {"INFLUXDB_URL", "INFLUXDB_BUCKET"}
    assert provisioned("dashboards/esus.yaml")["providers"][0]["folder"] == rule_groups()[0]["folder"]
