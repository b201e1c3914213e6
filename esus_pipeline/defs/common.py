"""What every asset shares: its declaration and the shape of its metadata."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from esus_pipeline.defs.partitions import WINDOWS
from esus_pipeline.frames import Frame
from esus_pipeline.settings import Settings

OWNERS = ["team:esus"]

_AUTOMATION = Settings.from_env().automation
SCHEDULE_STATUS = dg.DefaultScheduleStatus.RUNNING if _AUTOMATION else dg.DefaultScheduleStatus.STOPPED
"""Whether schedules run until somebody says otherwise in the UI."""
SENSOR_STATUS = dg.DefaultSensorStatus.RUNNING if _AUTOMATION else dg.DefaultSensorStatus.STOPPED
"""The same of sensors."""

REPAIR_TAG = "esus/repair"
"""Tag of runs that heal the past; the instance lets one of them run at a time, so that the live poll never waits."""


def window_asset(frame: Frame, group: str, kinds: set[str], **options: Any) -> Callable[..., dg.AssetsDefinition]:
    """Decorator of an asset named after the table it writes: quarter-hour windows, ranges in one run."""
    return dg.asset(
        name=frame.name,
        description=frame.description,
        partitions_def=WINDOWS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=group,
        kinds={"python", *kinds},
        owners=OWNERS,
        metadata={"dagster/column_schema": column_schema(frame)},
        **options,
    )


def column_schema(frame: Frame) -> dg.TableSchema:
    """The table's columns, units and meanings for the UI."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=" | ".join(part for part in _notes(field.metadata) if part),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in frame.schema
        ]
    )


def _notes(metadata: Mapping[bytes, bytes]) -> list[str]:
    return [metadata[b"description"].decode(), metadata[b"unit"].decode()]


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)
