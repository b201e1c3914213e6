"""Delivery to InfluxDB 2.x: what becomes a point (measurements), its bytes (lines), and the way there (sender).

Knows the archive and the site, and no Dagster. `deliver` is all that a caller needs; `setup` and `check` are for the
operator's commands.
"""

from esus_pipeline.influx.config import InfluxConfig, InfluxConfigError, InfluxError, InfluxUnavailable
from esus_pipeline.influx.deliver import Delivered, deliver, deliver_rows
from esus_pipeline.influx.measurements import ASSET_CHECK, PIPELINE, SINKS, Measurement
from esus_pipeline.influx.sender import Sender

__all__ = [
    "ASSET_CHECK",
    "PIPELINE",
    "SINKS",
    "Delivered",
    "InfluxConfig",
    "InfluxConfigError",
    "InfluxError",
    "InfluxUnavailable",
    "Measurement",
    "Sender",
    "deliver",
    "deliver_rows",
]
