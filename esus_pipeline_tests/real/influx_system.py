"""The running pipeline with a real InfluxDB: the twin, a code server, the daemon, the demo's own dagster.yaml."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

import dagster as dg

import esus_pipeline.demo
from esus_pipeline_tests.bench.servers import PASSWORD, USERNAME, simulator
from esus_pipeline_tests.real.influx_target import InfluxTarget
from esus_pipeline_tests.real.processes import PYTHON, end_session, environment, free_port, listens, wait_until


class System:
    """A started pipeline; `instance` looks into it from outside."""

    def __init__(self, home: Path, influx: InfluxTarget, twin: str) -> None:
        self.home = home
        self.influx = influx
        self.data = home / "data"
        self._folder = home / "dagster"
        self._folder.mkdir(parents=True)
        template = Template((Path(esus_pipeline.demo.__file__).parent / "dagster.yaml").read_text(encoding="utf-8"))
        (self._folder / "dagster.yaml").write_text(template.substitute(home=home), encoding="utf-8")
        self.environment = environment(
            ESUS_SITE="tmv23",
            ESUS_DATA_DIR=str(self.data),
            ESUS_DATA_START=f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%d}",  # a day without a window is no start
            ESUS_BMS_URL=twin,
            ESUS_BMS_USERNAME=USERNAME,
            ESUS_BMS_PASSWORD=PASSWORD,
            ESUS_FORECAST_URL=twin,
            ESUS_FORECAST_FALLBACK_URL=twin,
            ESUS_CONTACT="test@localhost",
            ESUS_GAP_HOURS="1",
            ESUS_AUTOMATION="on",
            DAGSTER_HOME=str(self._folder),
            DAGSTER_EVENT_BATCH_SIZE="1000",
            DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS="1",
            **influx.environment,
        )
        self.instance = dg.DagsterInstance.from_config(str(self._folder))

    @contextmanager
    def started(self, definitions: str = "esus_pipeline_tests.real.every_minute") -> Iterator[None]:
        """Run the code server and the daemon."""
        port = free_port()
        workspace = self.home / "workspace.yaml"
        workspace.write_text(
            f"load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {port}, location_name: esus_pipeline}}\n"
        )
        code = ["esus_pipeline.defs.code_server", "--host", "127.0.0.1", "--port", str(port), "-m", definitions]
        with ExitStack() as stack:
            self._start(stack, "code", [*code, "--location-name", "esus_pipeline"])
            wait_until("the code server", lambda: listens(port), 180)
            self._start(stack, "daemon", ["dagster._daemon", "run", "-w", str(workspace)])
            yield

    def _start(self, stack: ExitStack, name: str, command: list[str]) -> None:
        log = stack.enter_context((self.home / f"{name}.log").open("ab"))
        process = subprocess.Popen(
            [*PYTHON, "-m", *command], env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        stack.callback(end_session, process)


@contextmanager
def system(home: Path, influx: InfluxTarget) -> Iterator[System]:
    """A pipeline that delivers to `influx`; not started yet."""
    with simulator() as twin:
        made = System(home, influx, twin)
        try:
            yield made
        finally:
            made.instance.dispose()
