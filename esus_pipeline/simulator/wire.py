"""The building's API v1 on the wire: parsing of a trenddata request and the JSON of its answer.

Belongs here: parameters, time stamps, value spelling. Does not belong here: where readings come from.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from starlette.datastructures import QueryParams

from esus_pipeline.simulator.delivery import Readings
from esus_pipeline.simulator.noise import uniform
from esus_pipeline.site import Site

SHORTEST = timedelta(minutes=15)
Stamps = Literal["local", "offset", "utc"]


class RequestError(ValueError):
    """A request that is refused, with the status it deserves."""

    def __init__(self, status: int, message: str) -> None:
        """`status` is the HTTP status of the refusal."""
        super().__init__(message)
        self.status = status


def parse_request(query: QueryParams, zone: ZoneInfo, max_ids: int) -> tuple[list[int], datetime, datetime]:
    """Ids in order without repeats, start and end (UTC). A time without offset is local time of the building."""
    try:
        ids = [int(text) for text in query.getlist("externallogid")]
    except ValueError as error:
        raise RequestError(400, "externallogid must be an integer") from error
    if not ids:
        raise RequestError(400, "externallogid is missing")
    if len(ids) > max_ids:
        raise RequestError(414, f"at most {max_ids} ids in one request")
    start, end = (_instant(query, name, zone, fold) for name, fold in (("starttime", 0), ("endtime", 1)))
    if end - start < SHORTEST:
        raise RequestError(400, "the interval between starttime and endtime must be at least 15 minutes")
    return list(dict.fromkeys(ids)), start, end


def _instant(query: QueryParams, name: str, zone: ZoneInfo, fold: int) -> datetime:
    text = query.get(name)
    if not text:
        raise RequestError(400, f"{name} is missing")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RequestError(400, f"{name} is not an ISO 8601 time; a plus sign must be sent as %2B") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=fold)).astimezone(UTC)


def render(found: Mapping[int, Readings], site: Site, stamps: Stamps) -> bytes:
    """The JSON array of all readings, point by point, in the order of their stamps."""
    booleans = {point.id for point in site.points if point.unit == "bool"}
    zone = json.dumps({"local": site.place.timezone, "offset": "", "utc": "UTC"}[stamps])
    records: list[str] = []
    for point_id, readings in found.items():
        texts = _stamp_texts(readings, site.zone, stamps)
        spell = _as_boolean if point_id in booleans and uniform(0, "spelling", point_id) < 0.5 else _as_number
        head = f'{{"externallogid":{point_id},"timestamp":"'
        records += [
            f'{head}{text}","timestamp_tzinfo":{zone},"value":{spell(value)}}}'
            for text, value in zip(texts, readings.value.tolist(), strict=True)
        ]
    return ("[" + ",".join(records) + "]").encode()


def _as_boolean(value: float) -> str:
    return "true" if value else "false"


def _as_number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _stamp_texts(readings: Readings, zone: ZoneInfo, stamps: Stamps) -> list[str]:
    utc = readings.stamp.astype("datetime64[ms]")
    if stamps == "utc" or not len(utc):
        return [str(text) for text in np.datetime_as_string(utc).tolist()]
    local = pd.DatetimeIndex(utc, tz="UTC").tz_convert(zone).tz_localize(None).as_unit("ms").to_numpy()
    texts = np.datetime_as_string(local).tolist()
    if stamps == "local":
        return [str(text) for text in texts]
    minutes = ((local - utc) // np.timedelta64(1, "m")).astype(int).tolist()
    return [
        f"{text}{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}"
        for text, m in zip(texts, minutes, strict=True)
    ]


def metadata(site: Site) -> bytes:
    """The JSON array of all logged points: the site's own, and others of the building that no site uses."""
    own = [{"externallogid": point.id, "source": point.path, "loggingEnabled": True} for point in site.points]
    taken = {point.id for point in site.points}
    others = [
        {"externallogid": point_id, "source": source, "loggingEnabled": True}
        for point_id, source in _strangers()
        if point_id not in taken
    ]
    return json.dumps(sorted(own + others, key=lambda record: str(record["source"])), ensure_ascii=False).encode()


def _strangers() -> list[tuple[int, str]]:
    rooms = [f"{floor}.{number}" for floor in (0, 2, 3) for number in range(201, 241, 2)]
    logs = ("TRU01_Rum Temp", "CO201_Rum ppm", "VAV01", "Vindue", "PIR_activity", "Radiator_valve")
    names = [f"/TM023_3_20_{room[0]}.204/Lon/Net/Rum {room}/Logninger/{log}" for room in rooms for log in logs]
    return [(900_001 + index, name) for index, name in enumerate(names)]
