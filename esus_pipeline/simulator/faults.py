"""Faults that can be switched on while the simulator runs. Belongs here: the table of names and what each one does.

A fault takes the answer that would have been sent and gives another. Several may be on: they act in the table's order
until one of them is no longer an ordinary answer.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, cycle
from time import monotonic
from typing import Any, Literal
from zoneinfo import ZoneInfo

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from esus_pipeline.site import Site

Api = Literal["bms", "forecast"]
Records = list[dict[str, Any]]
_JSON = "application/json"
_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"
_GARBAGE = (None, float("nan"), "21,5", "NaN", "n/a", "", 1e308, {"value": 1})
_DRIP_S = 0.5
_LATE, _LOST = timedelta(hours=3), timedelta(hours=10)
_requests = count(1)


@dataclass(frozen=True)
class Context:
    """What a fault may look at."""

    site: Site
    now: datetime
    ids: tuple[int, ...] = ()
    """Points that were asked for."""


Effect = Callable[[bytes, Context], Awaitable[Response]]


@dataclass(frozen=True)
class Fault:
    """One fault: what it looks like from outside, which API it hits, what it makes of an answer."""

    description: str
    api: Api
    effect: Effect


class UnknownFaultError(KeyError):
    """No fault of that name."""


@dataclass
class Faults:
    """Which faults are on, and until when."""

    until: dict[str, float] = field(default_factory=dict)

    def switch_on(self, name: str, seconds: float | None = None) -> None:
        """Switch a fault on, for good or for some seconds."""
        if name not in FAULTS:
            raise UnknownFaultError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        self.until[name] = float("inf") if seconds is None else monotonic() + seconds

    def switch_off(self, name: str) -> None:
        """Switch a fault off; one that is not on stays off."""
        if name not in FAULTS:
            raise UnknownFaultError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        self.until.pop(name, None)

    def active(self) -> list[str]:
        """Names of the faults that are on now."""
        return [name for name in FAULTS if self.until.get(name, 0) > monotonic()]

    async def apply(self, api: Api, body: bytes, context: Context) -> Response:
        """The answer `body` after all faults of this API that are on."""
        response = Response(body, media_type=_JSON)
        for name in self.active():
            if FAULTS[name].api != api:
                continue
            response = await FAULTS[name].effect(bytes(response.body), context)
            if response.status_code != 200 or isinstance(response, StreamingResponse):
                break
        return response


def _fixed(make: Callable[[], Response]) -> Effect:
    async def effect(body: bytes, context: Context) -> Response:
        return make()

    return effect


def _page(status: int, title: str, headers: dict[str, str] | None = None) -> Effect:
    return _fixed(lambda: HTMLResponse(_PAGE.format(title), status, headers))


def _records(change: Callable[[Records, Context], Records]) -> Effect:
    async def effect(body: bytes, context: Context) -> Response:
        records = json.loads(body)
        if context.ids:
            records = change(records, context)
        return Response(json.dumps(records), media_type=_JSON)

    return effect


async def _truncated(body: bytes, context: Context) -> Response:
    return Response(body[: len(body) * 2 // 3], media_type=_JSON)


async def _hang(body: bytes, context: Context) -> Response:
    await asyncio.sleep(3600)
    return Response(body, media_type=_JSON)


async def _drip(body: bytes, context: Context) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])
            await asyncio.sleep(_DRIP_S)

    return StreamingResponse(stream(), media_type=_JSON)


async def _flaky(body: bytes, context: Context) -> Response:
    if next(_requests) % 3 == 0:
        return HTMLResponse(_PAGE.format("502 Bad Gateway"), 502)
    return Response(body, media_type=_JSON)


async def _one_point(body: bytes, context: Context) -> Response:
    if context.site.point_ids[0] in context.ids:
        return HTMLResponse(_PAGE.format("500 Internal Server Error"), 500)
    return Response(body, media_type=_JSON)


def _garbage(records: Records, context: Context) -> Records:
    values = cycle(_GARBAGE)
    return [{**r, "value": next(values)} if k % 5 == 0 else r for k, r in enumerate(records)]


def _shuffled(records: Records, context: Context) -> Records:
    doubled = records + records[::3]
    random.Random(len(doubled)).shuffle(doubled)  # noqa: S311 - not a secret
    return doubled


def _future(records: Records, context: Context) -> Records:
    return [{**r, "timestamp": "2099" + r["timestamp"][4:]} if k % 10 == 0 else r for k, r in enumerate(records)]


def _silent(records: Records, context: Context) -> Records:
    controllers = _by_size(context.site)
    return _without(records, {point.id for point in context.site.points if point.controller == controllers[-1]})


def _late(records: Records, context: Context) -> Records:
    controllers = _by_size(context.site)
    late = {point.id for point in context.site.points if point.controller == controllers[0]}
    return _without(records, late, context.now - _LATE)


def _by_size(site: Site) -> list[str]:
    controllers = [point.controller for point in site.points]
    return sorted(set(controllers), key=lambda name: (controllers.count(name), name))


def _point_lost(records: Records, context: Context) -> Records:
    return _without(records, _sensor(context.site, "air_temperature", 0), context.now - _LOST)


def _point_never(records: Records, context: Context) -> Records:
    return _without(records, _sensor(context.site, "air_temperature", 1))


def _point_absurd(records: Records, context: Context) -> Records:
    return _says(records, _sensor(context.site, "air_temperature", 2), 999)


def _point_stuck(records: Records, context: Context) -> Records:
    return _says(records, _sensor(context.site, "co2", 0), 612)


def _sensor(site: Site, quantity: str, room: int) -> set[int]:
    """The first point of a quantity in the room of that place; none where the site has no such point."""
    name = site.room_ids[room] if room < len(site.room_ids) else None
    return set([point.id for point in site.points if (point.quantity, point.room) == (quantity, name)][:1])


def _without(records: Records, points: set[int], since: datetime | None = None) -> Records:
    """Without what these points say that is stamped at `since` or later, or ever."""
    return [
        each for each in records if each["externallogid"] not in points or (since is not None and _stamp(each) < since)
    ]


def _says(records: Records, points: set[int], value: float) -> Records:
    return [{**each, "value": value} if each["externallogid"] in points else each for each in records]


def _stamp(record: dict[str, Any]) -> datetime:
    stamp = datetime.fromisoformat(record["timestamp"])
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=ZoneInfo(record["timestamp_tzinfo"]))


async def _absurd(body: bytes, context: Context) -> Response:
    answer = json.loads(body)
    for section in ("hourly", "minutely_15"):
        for name, values in answer.get(section, {}).items():
            if name.startswith("temperature"):
                values[:] = [80.0] * len(values)
            elif "radiation" in name or "irradiance" in name:
                values[:] = [-1.0 if k % 2 else 2500.0 for k in range(len(values))]
    for step in answer.get("properties", {}).get("timeseries", []):
        step["data"]["instant"]["details"] |= {"air_temperature": 80.0, "cloud_area_fraction": 150.0}
    return JSONResponse(answer)


def _forecast_limit() -> Response:
    reason = "Minutely API request limit exceeded. Please try again in one minute."
    return JSONResponse({"error": True, "reason": reason}, 429)


FAULTS: dict[str, Fault] = {
    "hang": Fault("no answer for an hour", "bms", _hang),
    "unauthorized": Fault(
        "401, whatever the credentials", "bms", _page(401, "401 Unauthorized", {"WWW-Authenticate": "Basic"})
    ),
    "http_500": Fault("500 with an HTML page", "bms", _page(500, "500 Internal Server Error")),
    "http_503_retry_after": Fault(
        "503 with Retry-After: 2", "bms", _page(503, "503 Service Unavailable", {"Retry-After": "2"})
    ),
    "http_429": Fault("429 with Retry-After: 2", "bms", _page(429, "429 Too Many Requests", {"Retry-After": "2"})),
    "flaky": Fault("every third request fails with 502", "bms", _flaky),
    "one_point_fails": Fault("500 for every request that names the site's first point", "bms", _one_point),
    "html_page": Fault("200 with an HTML page in place of JSON", "bms", _page(200, "Login")),
    "garbage_values": Fault("every fifth value is null, NaN, text, a decimal comma ..", "bms", _records(_garbage)),
    "empty": Fault("no readings", "bms", _records(lambda records, context: [])),
    "duplicate_shuffle": Fault("a third of the records twice, all in random order", "bms", _records(_shuffled)),
    "future_stamps": Fault("every tenth record is stamped in the year 2099", "bms", _records(_future)),
    "controller_silent": Fault("nothing from the controller with the most points", "bms", _records(_silent)),
    "controller_late": Fault(
        "all of the controller with the fewest points comes three hours late", "bms", _records(_late)
    ),
    "point_lost": Fault(
        "nothing of the last ten hours from a temperature of the first room", "bms", _records(_point_lost)
    ),
    "point_never": Fault("nothing ever from a temperature of the second room", "bms", _records(_point_never)),
    "point_absurd": Fault("a temperature of the third room says 999", "bms", _records(_point_absurd)),
    "point_stuck": Fault("CO2 of the first room always says 612", "bms", _records(_point_stuck)),
    "truncated_json": Fault("the last third of the answer is cut off", "bms", _truncated),
    "slow_drip": Fault("one byte every half second", "bms", _drip),
    "forecast_down": Fault("503 from the forecast APIs", "forecast", _page(503, "503 Service Unavailable")),
    "forecast_429": Fault("429 from the forecast APIs, try again in a minute", "forecast", _fixed(_forecast_limit)),
    "forecast_absurd": Fault("80 degC, negative and far too strong radiation", "forecast", _absurd),
}
"""Name -> fault; the order is that in which they act."""
