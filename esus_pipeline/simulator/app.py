"""The simulator as a web application: both APIs and the switches for faults. Belongs here: routes, access, latency."""

import asyncio
import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections import deque
from hmac import compare_digest
from ipaddress import ip_address
from time import monotonic

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from esus_pipeline.simulator import energidata, metno, openmeteo, wire
from esus_pipeline.simulator.config import SimulatorConfig
from esus_pipeline.simulator.faults import FAULTS, Context, Faults, UnknownFaultError
from esus_pipeline.simulator.replay import Replay
from esus_pipeline.simulator.twin import Source, Twin
from esus_pipeline.simulator.weather import Weather
from esus_pipeline.site import Site, load_site


def create_app(config: SimulatorConfig) -> Starlette:
    """The application for these settings.

    Raises SiteError for a wrong site, UnknownTwinError for a site that needs `replay`, ReplayError for a wrong
    recording and UnknownFaultError for a fault that does not exist.
    """
    site = load_site(config.site)
    source: Source = (
        Replay(config.replay, config.replay_mode, config.now()) if config.replay else Twin(site, config.seed)
    )
    faults = Faults()
    for name in config.faults:
        faults.switch_on(name)
    bms, forecast = _Bms(config, site, source, faults), _Forecasts(config, site, faults)
    return Starlette(
        routes=[
            Route("/api/v1/trenddata", bms.trenddata),
            Route("/api/v1/metadata", bms.metadata),
            Route("/v1/forecast", forecast.open_meteo),
            Route("/dataset/DayAheadPrices", forecast.day_ahead_prices),
            Route("/weatherapi/locationforecast/2.0/complete", forecast.met_norway),
            *_fault_routes(faults),
        ]
    )


class _Bms:
    """The building's API."""

    def __init__(self, config: SimulatorConfig, site: Site, source: Source, faults: Faults) -> None:
        self.config, self.site, self.source, self.faults = config, site, source, faults

    async def trenddata(self, request: Request) -> Response:
        started = monotonic()
        if refusal := self._refuse(request):
            return refusal
        config = self.config
        try:
            ids, start, end = wire.parse_request(request.query_params, self.site.zone, config.max_ids)
        except wire.RequestError as error:
            return PlainTextResponse(str(error), error.status)
        now_ms, start_ms, end_ms = (int(moment.timestamp() * 1000) for moment in (config.now(), start, end))

        def render() -> bytes:
            found = self.source.readings(ids, start_ms, end_ms, now_ms)
            return wire.render(found, self.site, config.stamps)

        body = await run_in_threadpool(render)
        await _wait(started, config.request_s + config.point_s * len(ids))
        return await self.faults.apply("bms", body, Context(self.site, config.now(), tuple(ids)))

    async def metadata(self, request: Request) -> Response:
        started = monotonic()
        if refusal := self._refuse(request):
            return refusal
        body = wire.metadata(self.site)
        await _wait(started, self.config.request_s)
        return await self.faults.apply("bms", body, Context(self.site, self.config.now()))

    def _refuse(self, request: Request) -> Response | None:
        """401 where the credentials are not those of the settings."""
        if self.config.username is None:
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            given = b64decode(token, validate=True) if scheme.lower() == "basic" else b""
        except (Base64Error, ValueError):
            given = b""
        if compare_digest(given, f"{self.config.username}:{self.config.password}".encode()):
            return None
        return PlainTextResponse("Unauthorized", 401, {"WWW-Authenticate": 'Basic realm="BMS"'})


class _Forecasts:
    """Both forecast APIs, for any place, and the price API."""

    def __init__(self, config: SimulatorConfig, site: Site, faults: Faults) -> None:
        self.config, self.site, self.faults = config, site, faults
        self._recent: deque[float] = deque()

    async def open_meteo(self, request: Request) -> Response:
        if self._too_often():
            reason = "Minutely API request limit exceeded. Please try again in one minute."
            return JSONResponse({"error": True, "reason": reason}, 429)
        now = self.config.now()
        try:
            query = openmeteo.parse(request.query_params, now)
        except openmeteo.QueryError as error:
            return JSONResponse({"error": True, "reason": str(error)}, 400)
        weather = self._weather(query.latitude, query.longitude)
        answer = await run_in_threadpool(openmeteo.answer, query, weather, now)
        return await self.faults.apply("forecast", json.dumps(answer).encode(), Context(self.site, now))

    async def met_norway(self, request: Request) -> Response:
        place = [request.query_params.get(name, "") for name in ("lat", "lon")]
        if not metno.identifies(request.headers.get("User-Agent", "")) or any(map(metno.too_precise, place)):
            return PlainTextResponse("403 Forbidden: identify yourself, at most 4 decimals", 403)
        if self._too_often():
            return PlainTextResponse("429 Too Many Requests", 429)
        try:
            latitude, longitude = map(float, place)
        except ValueError:
            return PlainTextResponse("400 Bad Request: lat and lon must be numbers", 400)
        now = self.config.now()
        headers = metno.headers(now)
        if request.headers.get("If-Modified-Since") == headers["Last-Modified"] and not self._faulty():
            return Response(status_code=304, headers=headers)
        weather = self._weather(latitude, longitude)
        answer = await run_in_threadpool(metno.answer, latitude, longitude, weather, now)
        response = await self.faults.apply("forecast", json.dumps(answer).encode(), Context(self.site, now))
        if response.status_code == 200:
            response.headers.update(headers)
        return response

    async def day_ahead_prices(self, request: Request) -> Response:
        if self._too_often():
            return JSONResponse({"statusCode": 429, "message": "Too many requests"}, 429)
        now = self.config.now()
        try:
            query = energidata.parse(request.query_params, now)
        except energidata.QueryError as error:
            return JSONResponse({"statusCode": 400, "message": str(error)}, 400)
        return JSONResponse(await run_in_threadpool(energidata.answer, query, self.config.seed, now))

    def _faulty(self) -> bool:
        return any(FAULTS[name].api == "forecast" for name in self.faults.active())

    def _weather(self, latitude: float, longitude: float) -> Weather:
        """The site's own weather near the site, the same process elsewhere."""
        place = self.site.place
        if abs(latitude - place.latitude) < 0.1 and abs(longitude - place.longitude) < 0.1:
            return Weather(self.config.seed, place.latitude, place.longitude, place.altitude)
        return Weather(self.config.seed, round(latitude, 2), round(longitude, 2), 0.0)

    def _too_often(self) -> bool:
        now = monotonic()
        while self._recent and self._recent[0] < now - 60:
            self._recent.popleft()
        self._recent.append(now)
        return len(self._recent) > self.config.forecasts_per_minute


def _fault_routes(faults: Faults) -> list[Route]:
    """`GET /faults`, `POST /faults/{name}?seconds=`, `DELETE /faults/{name}`; for this machine alone."""

    async def show(request: Request) -> Response:
        if not _is_local(request):
            return PlainTextResponse("Forbidden", 403)
        table = {name: {"on": name in faults.active(), "what": fault.description} for name, fault in FAULTS.items()}
        return JSONResponse(table)

    async def switch(request: Request) -> Response:
        if not _is_local(request):
            return PlainTextResponse("Forbidden", 403)
        name, seconds = request.path_params["name"], request.query_params.get("seconds")
        try:
            if request.method == "POST":
                faults.switch_on(name, None if seconds is None else float(seconds))
            else:
                faults.switch_off(name)
        except UnknownFaultError as error:
            return PlainTextResponse(error.args[0], 404)
        except ValueError:
            return PlainTextResponse("seconds must be a number", 400)
        return JSONResponse({"on": faults.active()})

    return [Route("/faults", show), Route("/faults/{name}", switch, methods=["POST", "DELETE"])]


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _wait(started: float, seconds: float) -> None:
    """Hold this request, and no other, until it has taken `seconds`."""
    await asyncio.sleep(max(0.0, started + seconds - monotonic()))
