from typing import Any

from esus_pipeline.influx import InfluxConfig


def config_of(influx: Any, **options: Any) -> InfluxConfig:
    """How the target (or any server with a `url`) is reached."""
    given = {"url": influx.url, "org": "esus", "bucket": "esus", "token": getattr(influx, "token", "canary-token")}
    return InfluxConfig(**{**given, **options})
