"""For all tests: the developer's own settings stay out, whatever the shell has exported."""

import os

from esus_pipeline.settings import VARIABLES

for _name in (*VARIABLES, "ESUS_DEMO_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
    os.environ.pop(_name, None)
