"""For all tests: the developer's own settings stay out, whatever the shell has exported; and the fixtures of all."""

import os

from esus_pipeline.settings import SECRETS, VARIABLES
from esus_pipeline_tests.real.influx_target import influx, influx_server

__all__ = ["influx", "influx_server"]

for _name in (*VARIABLES, *(f"{name}_FILE" for name in SECRETS), "ESUS_DEMO_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
    os.environ.pop(_name, None)
