import re
from datetime import date
from pathlib import Path

import pytest

from esus_pipeline.settings import SECRETS, VARIABLES, Settings, SettingsError, export_secrets

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_every_variable_is_in_the_example_once_with_an_explanation():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for variable in VARIABLES:
        places = [number for number, line in enumerate(lines) if line.startswith(f"{variable}=")]
        assert len(places) == 1, f"{variable} stands {len(places)} times in {EXAMPLE.name}"
        block = lines[: places[0]]
        while block and re.match(r"[A-Z_]+=", block[-1]):
            block.pop()
        assert block[-1].startswith("#"), f"nothing explains {variable}"


def test_the_example_holds_no_secret():
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if re.match(r"\w*(PASSWORD|TOKEN|SECRET)\w*=", line):
            assert line.endswith("="), line


def test_the_example_names_only_variables_that_are_read():
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path("esus_pipeline").rglob("*.py"))
    known = set(re.findall(r"^(ESUS_\w+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    by_compose = set(re.findall(r"\$\{(ESUS_\w+)", EXAMPLE.with_name("docker-compose.yml").read_text(encoding="utf-8")))
    settings = known - {f"{name}_FILE" for name in SECRETS} - (by_compose - set(VARIABLES))
    assert settings <= set(VARIABLES)
    assert all(f'"{name}"' in code for name in settings)


def test_an_empty_environment_gives_the_documented_defaults():
    settings = Settings.from_env({})
    assert settings.site == "tmv23"
    assert settings.data_dir == Path("data").resolve()
    assert settings.bms_connections == 2
    assert settings.gap_hours == 48
    assert settings.automation is False
    assert Settings.from_env(dict.fromkeys(VARIABLES, "")) == settings


@pytest.mark.parametrize("name", ["ESUS_BMS_CONNECTIONS", "ESUS_GAP_HOURS"])
@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "1e3"])
def test_a_bad_number_is_refused_by_its_name(name, value):
    with pytest.raises(SettingsError, match=f"{name} must be a whole number of at least 1, got '{re.escape(value)}'"):
        Settings.from_env({name: value})


@pytest.mark.parametrize(
    ("value", "on"), [("on", True), ("ON", True), ("1", True), ("true", True), ("off", False), ("0", False)]
)
def test_automation_is_a_switch(value, on):
    assert Settings.from_env({"ESUS_AUTOMATION": value}).automation is on


def test_the_password_is_kept_exactly_and_never_shown():
    settings = Settings.from_env({"ESUS_BMS_PASSWORD": " hunter2 "})
    assert settings.bms_password == " hunter2 "
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_the_first_day_can_be_set_and_a_bad_one_is_refused_by_its_name():
    assert Settings.from_env({"ESUS_DATA_START": "2026-02-03"}).data_start == date(2026, 2, 3)
    with pytest.raises(SettingsError, match="ESUS_DATA_START must be a day such as 2026-01-31, got '2026-13-01'"):
        Settings.from_env({"ESUS_DATA_START": "2026-13-01"})


def test_a_secret_may_stand_in_a_file_and_only_its_last_line_end_is_not_part_of_it(tmp_path):
    file = tmp_path / "password"
    file.write_text(" hunter2 \n", encoding="utf-8")
    env = {"ESUS_BMS_PASSWORD_FILE": str(file)}
    assert Settings.from_env(env).bms_password == " hunter2 "
    export_secrets(env)
    assert env == {"ESUS_BMS_PASSWORD": " hunter2 "}
    export_secrets(env)  # as the run's process does, which inherits it
    assert Settings.from_env(env).bms_password == " hunter2 "


def test_a_secret_that_is_missing_empty_or_given_twice_is_refused_without_showing_it(tmp_path):
    file = tmp_path / "password"
    with pytest.raises(
        SettingsError, match=r"ESUS_BMS_PASSWORD_FILE is .*password, which cannot be read: No such file"
    ):
        Settings.from_env({"ESUS_BMS_PASSWORD_FILE": str(file)})
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="which is empty; write the secret into it"):
        Settings.from_env({"ESUS_BMS_PASSWORD_FILE": str(file)})
    file.write_text("hunter2", encoding="utf-8")
    with pytest.raises(SettingsError, match="both set; keep one of them") as caught:
        Settings.from_env({"ESUS_BMS_PASSWORD_FILE": str(file), "ESUS_BMS_PASSWORD": "hunter3"})
    assert "hunter" not in str(caught.value)
