"""The command that runs the simulator. Belongs here: options and their help."""

import os
from pathlib import Path

import click
import uvicorn

from esus_pipeline.settings import secrets_of_files
from esus_pipeline.simulator.app import create_app
from esus_pipeline.simulator.config import REALISTIC_POINT_S, SimulatorConfig
from esus_pipeline.simulator.faults import FAULTS, UnknownFaultError
from esus_pipeline.simulator.replay import ReplayError
from esus_pipeline.simulator.twin import UnknownTwinError
from esus_pipeline.site import SiteError

_FAULT_HELP = "\n".join(f"  {name:22}{fault.description}" for name, fault in FAULTS.items())
_EPILOG = f"""\b
Faults (--fault NAME, or while it runs: curl -X POST 'http://HOST:PORT/faults/NAME?seconds=60',
curl -X DELETE http://HOST:PORT/faults/NAME, curl http://HOST:PORT/faults):
{_FAULT_HELP}

\b
Examples:
  esus simulate
  esus simulate --realistic --seed 7
  esus simulate --site ou44 --replay readings.parquet --replay-mode own
"""


@click.command(epilog=_EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8999, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--site", default="tmv23", show_default=True, help="Name of a site, or its folder.")
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="Another seed, another building and weather.",
)
@click.option(
    "--request-latency",
    default=0.02,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="S",
    help="Seconds that every request takes.",
)
@click.option(
    "--point-latency",
    default=0.002,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="S",
    help="Seconds that each point of a request adds.",
)
@click.option("--realistic", is_flag=True, help=f"As slow as the real server: {REALISTIC_POINT_S} s for each point.")
@click.option(
    "--username", metavar="U", help="Ask for basic authentication with this name and the password in ESUS_BMS_PASSWORD."
)
@click.option(
    "--max-ids",
    default=100,
    show_default=True,
    type=click.IntRange(min=1),
    help="Refuse requests for more points with 414.",
)
@click.option(
    "--stamps",
    default="local",
    show_default=True,
    type=click.Choice(["local", "offset", "utc"]),
    help="Time stamps as naive local time, with offset, or as naive UTC.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Serve this Parquet or CSV file (external_log_id, timestamp, value) in place of the twin.",
)
@click.option(
    "--replay-mode",
    default="shift",
    show_default=True,
    type=click.Choice(["shift", "own"]),
    help="Move the recording by whole weeks to the present, or leave it at its own time.",
)
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME", help="Switch a fault on from the start; may be repeated."
)
def simulate(
    host: str,
    port: int,
    site: str,
    seed: int,
    request_latency: float,
    point_latency: float,
    realistic: bool,
    username: str | None,
    max_ids: int,
    stamps: str,
    replay: Path | None,
    replay_mode: str,
    faults: tuple[str, ...],
) -> None:
    """Serve a simulated building and its weather forecast over HTTP.

    Answers the building's API v1 (/api/v1/trenddata, /api/v1/metadata), Open-Meteo (/v1/forecast) and MET Norway
    (/weatherapi/locationforecast/2.0/complete). Any date can be asked; the same seed gives the same answers. The
    building is a twin of TMV23 with a true geometry of its own; for any other site, give recorded readings.
    """
    password = {**os.environ, **secrets_of_files(os.environ)}.get("ESUS_BMS_PASSWORD", "")
    if username is not None and not password:
        raise click.UsageError("--username needs a password in the environment variable ESUS_BMS_PASSWORD")
    config = SimulatorConfig(
        site=site,
        seed=seed,
        request_s=0.0 if realistic else request_latency,
        point_s=REALISTIC_POINT_S if realistic else point_latency,
        username=username,
        password=password,
        max_ids=max_ids,
        stamps=stamps,  # type: ignore[arg-type]  # click has checked the choice
        replay=replay,
        replay_mode=replay_mode,  # type: ignore[arg-type]
        faults=faults,
    )
    try:
        app = create_app(config)
    except (SiteError, UnknownTwinError, ReplayError) as error:
        raise click.ClickException(str(error)) from error
    except UnknownFaultError as error:
        raise click.ClickException(error.args[0]) from error
    click.echo(f"Serving {site} at http://{host}:{port}  (Ctrl-C stops)")
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=1)
