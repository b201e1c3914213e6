"""The whole pipeline, on one page: assets, jobs, schedule, sensors and what they are given."""

import dagster as dg

from esus_pipeline.defs.automation import ASSETS, CHECKS, JOBS, SCHEDULES, SENSORS, UPKEEP
from esus_pipeline.defs.delivery import delivery_definitions
from esus_pipeline.defs.models import every_night, nightly, room_models
from esus_pipeline.defs.resources import resources
from esus_pipeline.defs.savings import daily_savings, every_morning, savings
from esus_pipeline.settings import Settings, export_secrets


def build_definitions(settings: Settings | None = None, overrides: dict[str, object] | None = None) -> dg.Definitions:
    """The definitions of one site. `overrides` replaces resources by name, for tests."""
    settings = settings or Settings.from_env()
    delivery = delivery_definitions(settings)
    return dg.Definitions(
        assets=[*ASSETS, *UPKEEP, room_models, savings, *delivery["assets"]],
        asset_checks=CHECKS,
        jobs=[*JOBS, nightly, daily_savings, *delivery["jobs"]],
        schedules=[*SCHEDULES, every_night, every_morning],
        sensors=[*SENSORS, *delivery["sensors"]],
        resources={**resources(settings), **(overrides or {})},
        executor=dg.in_process_executor,
    )


export_secrets()
defs = build_definitions()
