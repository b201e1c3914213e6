from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from esus_pipeline.cli import main
from esus_pipeline_tests.cli.building import Building, run_building


@pytest.fixture(scope="session")
def building(tmp_path_factory) -> Iterator[Building]:
    yield from run_building(tmp_path_factory.mktemp("tmv23") / "building.log")


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory):
    """A folder that looks like Dagster's own; nothing here starts Dagster on it."""
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text("", encoding="utf-8")
    return home


@pytest.fixture
def esus(tmp_path, dagster_home):
    """Run `esus` in this process: `esus("plan", "--at", "...", ESUS_SITE="ou44")`."""

    def run(*arguments: str, **settings: str) -> Result:
        settings = {"ESUS_DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(dagster_home), **settings}
        result = CliRunner().invoke(main, arguments, env=settings)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
