"""The pipeline with a schedule that ticks every minute, so that a test need not wait for a quarter of an hour.

Each tick is of one of the last four windows, which are all polled as live ones are.
"""

import dagster as dg

from esus_pipeline.definitions import build_definitions
from esus_pipeline.defs.jobs import LIVE_TAGS, quarter_hour
from esus_pipeline.defs.partitions import floor, key_of
from esus_pipeline.frames import STEP


@dg.schedule(
    name="every_minute",
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    job=quarter_hour,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    tick = context.scheduled_execution_time
    key = key_of(floor(tick) - (1 + tick.minute % 4) * STEP)
    return dg.RunRequest(run_key=f"{tick.isoformat()}", partition_key=key, tags=LIVE_TAGS)


defs = dg.Definitions.merge(build_definitions(), dg.Definitions(schedules=[every_minute]))
