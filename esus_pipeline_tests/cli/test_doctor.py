import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from esus_pipeline.site import load_site
from esus_pipeline_tests.cli.lisbon import POINTS, SITE
from esus_pipeline_tests.real.processes import free_port


def findings(output):
    """(level, subject, message) of every line."""
    return [(line[:8].strip(), line[8:18].strip(), line[18:]) for line in output.splitlines()]


def of(output, level):
    return [f"{subject}: {message}" for found, subject, message in findings(output) if found == level]


def test_a_whole_installation_is_told_line_by_line(esus, building, tmp_path, dagster_home):
    done = esus("doctor", **building.settings)
    assert done.exit_code == 0, done.output
    assert {level for level, _, _ in findings(done.output)} == {"ok", "assumed"}
    told = of(done.output, "ok")
    assert told[0] == "site: TMV23, Aalborg University: 6 rooms, 172 points"
    assert f"data: {tmp_path / 'data'} can be written" in told
    assert f"dagster: DAGSTER_HOME is {dagster_home}" in told
    assert f"building: {building.url.removeprefix('http://')} answers and accepts the credentials" in told
    assert "points: all 172 are in the building's list" in told
    assert sum(line.startswith("forecast: open-meteo answers, until ") for line in told) == 1
    assert sum(line.startswith("forecast: met-norway answers, until ") for line in told) == 1
    assert building.password not in done.output


def test_every_guess_of_the_site_has_a_line(esus, building):
    told = of(esus("doctor", **building.settings).output, "assumed")
    assert told == [
        f"site: {name} is a guess; measure it and remove `assumed: true`" for name in load_site("tmv23").assumptions()
    ]


def test_nothing_there_fails_with_what_to_do_and_no_traceback(esus):
    nowhere = f"http://127.0.0.1:{free_port()}"
    settings = {"ESUS_BMS_URL": nowhere, "ESUS_FORECAST_URL": nowhere, "ESUS_FORECAST_FALLBACK_URL": nowhere}
    done = esus("doctor", ESUS_BMS_USERNAME="demo", ESUS_BMS_PASSWORD="unsaid", **settings)
    assert done.exit_code == 1
    (failed,) = of(done.output, "FAILED")
    assert failed.startswith("building: the BMS could not be read: no connection to 127.0.0.1:")
    assert failed.endswith("is ESUS_BMS_URL right, and open from this machine?")
    warnings = of(done.output, "warning")
    assert any(line.startswith("forecast: open-meteo: ") and "check the address" in line for line in warnings)
    assert "forecast: set ESUS_CONTACT to an e-mail address; MET Norway refuses without one" in warnings
    assert "Traceback" not in done.output
    assert "unsaid" not in done.output


def test_no_settings_at_all_are_told_by_name(esus):
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = esus("doctor", ESUS_FORECAST_URL=nowhere, ESUS_FORECAST_FALLBACK_URL=nowhere, DAGSTER_HOME="")
    assert done.exit_code == 1
    assert of(done.output, "FAILED") == [
        "building: ESUS_BMS_URL must be an address such as https://bms.example.org (http or https)."
    ]
    assert "dagster: DAGSTER_HOME is not set; Dagster would forget everything when it stops" in of(
        done.output, "warning"
    )


def test_a_wrong_site_ends_the_examination(esus, tmp_path):
    (tmp_path / "site.yaml").write_text("name: [\n", encoding="utf-8")
    done = esus("doctor", ESUS_SITE=str(tmp_path))
    assert done.exit_code == 1
    assert done.output.startswith(f"FAILED  site      {tmp_path}/site.yaml:2: not YAML: ")
    assert len(done.output.splitlines()) == 1


class Refusing(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Refusing.asked += 1
        self.send_error(401)

    def log_message(self, *args):
        pass


def test_a_refused_password_is_tried_once_because_repeats_lock_accounts(esus):
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        nowhere = f"http://127.0.0.1:{free_port()}"
        settings = {"ESUS_BMS_URL": url, "ESUS_FORECAST_URL": nowhere, "ESUS_FORECAST_FALLBACK_URL": nowhere}
        done = esus("doctor", ESUS_BMS_USERNAME="demo", ESUS_BMS_PASSWORD="unsaid", **settings)
        server.shutdown()
    assert done.exit_code == 1
    assert Refusing.asked == 1


def test_a_data_folder_that_is_a_file_fails(esus, building, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = esus("doctor", **{**building.settings, "ESUS_DATA_DIR": str(tmp_path / "file")})
    assert done.exit_code == 1
    assert of(done.output, "FAILED") == [
        f"data: {tmp_path / 'file'} is not a folder that can be written; set ESUS_DATA_DIR to a folder of this user"
    ]


def test_a_dagster_home_that_dagster_would_refuse_fails(esus, building, tmp_path):
    done = esus("doctor", **building.settings, DAGSTER_HOME="dagster")
    assert done.exit_code == 1
    assert of(done.output, "FAILED") == ["dagster: DAGSTER_HOME must be an absolute path, got dagster"]
    none = tmp_path / "none"
    done = esus("doctor", **building.settings, DAGSTER_HOME=str(none))
    assert done.exit_code == 1
    assert of(done.output, "FAILED") == [f"dagster: DAGSTER_HOME is {none}, and there is no such folder; make it"]


def test_a_dagster_home_without_its_settings_is_warned_of(esus, building, tmp_path):
    done = esus("doctor", **building.settings, DAGSTER_HOME=str(tmp_path))
    assert done.exit_code == 0
    told = f"dagster: {tmp_path} has no dagster.yaml; take one as docs/operating.md says"
    assert of(done.output, "warning") == [told]


def test_points_that_the_building_does_not_log_are_named(esus, building):
    done = esus("doctor", **building.settings, ESUS_SITE="ou44")
    assert done.exit_code == 0
    (missing,) = [line for line in of(done.output, "warning") if line.startswith("points: ")]
    assert missing.startswith("points: 22 points of the site are not in the building's list: [1001, 1002, ")


SENSOR = SITE.replace("{azimuth: 265}", "{azimuth: 265, sun_sensor: {quantity: sun}}")
NO_TEMPERATURE = POINTS.replace("arquivo,air_temperature,degC", "arquivo,co2,ppm")


@pytest.mark.parametrize(
    ("site", "points", "told"),
    [
        (SITE, POINTS, "the building has no wind_speed; the forecast alone is used"),
        (SITE, POINTS, "kept without limits: humidity; describe them under `quantities:`"),
        (SITE, NO_TEMPERATURE, "room arquivo has no air_temperature; nothing is predicted for it"),
        (SITE, POINTS.replace(",degF,", ",Ohm,"), "point 7: 'Ohm' cannot become degC; its readings are not used"),
        (SENSOR, POINTS, "no point measures sun of the facade west"),
        (SENSOR, f"{POINTS}40,/a,,sun,klux,meter\n", "sun is kept in klux, but its sun_sensor says W/m2"),
    ],
)
def test_what_the_plans_will_lack_is_told(esus, tmp_path, site, points, told):
    (tmp_path / "site.yaml").write_text(site, encoding="utf-8")
    (tmp_path / "points.csv").write_text(points, encoding="utf-8")
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = esus("doctor", ESUS_SITE=str(tmp_path), ESUS_FORECAST_URL=nowhere, ESUS_FORECAST_FALLBACK_URL=nowhere)
    assert f"points: {told}" in of(done.output, "warning")
