"""A span of windows from the archive to InfluxDB, and an account of it. Memory is bounded by a day of rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.frames import QUARANTINE
from esus_pipeline.influx.lines import Shape, Tally, batches, encode
from esus_pipeline.influx.measurements import Measurement
from esus_pipeline.influx.sender import BATCH, Sender
from esus_pipeline.site import Site


@dataclass
class Delivered:
    """What a delivery did. rows = stored + empty + too_old + quarantined."""

    rows: int = 0
    stored: int = 0
    """Points that InfluxDB acknowledged."""
    empty: int = 0
    """Rows without any field; they are not sent."""
    not_finite: int = 0
    """Infinite numbers, left out of their points."""
    too_old: int = 0
    """Points older than the bucket's retention; InfluxDB does not keep them."""
    quarantined: int = 0
    """Rows that InfluxDB refused or that line protocol cannot hold; they are in the quarantine table."""
    points: dict[str, int] = field(default_factory=dict)
    """Stored points by measurement."""


def deliver(
    archive: Archive, site: Site, sender: Sender, measurements: Iterable[Measurement], start: datetime, end: datetime
) -> Delivered:
    """Send what the windows in [start, end) decide on. Sending it again changes nothing.

    Raises what `Sender.send` raises; what was refused until then is in quarantine nevertheless.
    """
    done = Delivered()
    for measurement in measurements:
        shape = measurement.shape(site)
        deliver_rows(archive, site, sender, shape, measurement.rows(archive, site, start, end), done)
    return done


def deliver_rows(
    archive: Archive, site: Site, sender: Sender, shape: Shape, parts: Iterable[pd.DataFrame], done: Delivered
) -> None:
    """Send rows of one measurement and add to the account `done`."""
    for rows in parts:
        tally, stored, too_old = Tally(), 0, sender.too_old
        try:
            for count in sender.send_all(batches(encode(shape, rows, tally, site=site.name), BATCH)):
                stored += count
        finally:
            refused = [("refused", f"{each.message} | {each.line}") for each in sender.refused]
            refused += [("unencodable", row) for row in tally.unencodable]
            sender.refused.clear()
            _quarantine(archive, refused)
            done.rows += len(rows)
            done.stored += stored
            done.empty += tally.empty
            done.not_finite += tally.not_finite
            done.too_old += sender.too_old - too_old
            done.quarantined += len(refused)
            done.points[shape.measurement] = done.points.get(shape.measurement, 0) + stored


def _quarantine(archive: Archive, refused: list[tuple[str, str]]) -> None:
    if refused:
        rows = pd.DataFrame(refused, columns=["reason", "record"])
        rows = rows.assign(
            received_at=datetime.now(UTC), source="influxdb", point_id=None, record=rows["record"].str[:2000]
        )
        archive.merge(QUARANTINE, rows, compare=())
