import shutil
from collections.abc import Iterator
from pathlib import Path
from string import Template

import dagster as dg
import pytest

import esus_pipeline.demo

INSTANCE = Template((Path(esus_pipeline.demo.__file__).parent / "dagster.yaml").read_text(encoding="utf-8"))


def open_instance(home: Path) -> dg.DagsterInstance:
    """The instance of a demo's home, with the demo's own dagster.yaml."""
    folder = home / "dagster"
    folder.mkdir(exist_ok=True)
    (folder / "dagster.yaml").write_text(INSTANCE.substitute(home=home), encoding="utf-8")
    return dg.DagsterInstance.from_config(str(folder))


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with empty databases; making them takes longer than most tests."""
    home = tmp_path_factory.mktemp("blank")
    with open_instance(home) as instance:
        instance.get_runs(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()
    return home


@pytest.fixture
def instance(blank: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copytree(blank, tmp_path, dirs_exist_ok=True)
    with open_instance(tmp_path) as instance:
        yield instance
