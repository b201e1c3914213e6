"""A building that nobody has seen: its folder, and three days of its log."""

from pathlib import Path

import numpy as np
import pandas as pd

SITE = """\
name: casa
title: Casa do Teste
data_start: 2025-06-01
place: {latitude: 38.72, longitude: -9.14, altitude: 40, timezone: Europe/Lisbon}
facades:
  west: {azimuth: 265}
shades:
  blind: {placement: internal, g_tot: 0.35, light_transmittance: 0.2, movement: open_or_closed}
occupancy: {weekdays: [0, 1, 2, 3, 4, 5], start: 10:00, end: 19:00}
comfort:
  occupied: {low: 21, high: 26}
  unoccupied: {low: 16, high: 30}
tariffs: {currency: EUR, heat: 0.12, electricity: 0.2}
wind: {retract_above: 14, release_below: 11}
rooms:
  - id: 2.10
    area: 40
    height: 3
    outer_wall_area: 10
    windows:
      - {id: pane, facade: west, area: 9, u_value: 2.6, g_value: 0.6, shade: blind}
  - id: arquivo
    area: 12
    height: 2.5
    windows: []
"""

POINTS = """\
external_log_id,bms_path,room,quantity,unit,role
7,/PLC1/Sala/T,2.10,air_temperature,degF,measurement
8,/PLC1/Sala/HR,2.10,humidity,%,measurement
9,/PLC1/Sala/CO2,2.10,co2,ppm,measurement
20,/PLC2/Arquivo/T,arquivo,air_temperature,degC,measurement
21,/PLC2/Arquivo/HR,arquivo,humidity,%,measurement
30,/PLC9/Contador/E,,plug_energy,Wh,meter
"""

FIRST_DAY = pd.Timestamp("2025-06-16", tz="UTC")
DAY = pd.Timestamp("2025-06-17", tz="UTC")
NOON = DAY + pd.Timedelta(hours=12)
EVERY_MINUTES = 10


def write_site(folder: Path) -> Path:
    """The folder that ESUS_SITE names."""
    folder.mkdir()
    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    (folder / "points.csv").write_text(POINTS, encoding="utf-8")
    return folder


def write_recording(file: Path) -> pd.DataFrame:
    """Three days of readings every ten minutes; 77 degF are 25 degC, until the sensor breaks at NOON."""
    stamps = pd.date_range(FIRST_DAY, periods=3 * 144, freq=f"{EVERY_MINUTES}min", unit="us")
    hours = np.arange(len(stamps)) / 6
    values = {
        7: np.where(stamps < NOON, 77.0, 250.0),
        8: 45 + np.round(10 * np.sin(hours / 24 * 2 * np.pi), 1),
        9: np.full(len(stamps), 612.0),
        20: np.full(len(stamps), 19.5),
        21: np.full(len(stamps), 60.0),
        30: 1000.0 * np.arange(len(stamps)),
    }
    rows = [
        pd.DataFrame({"external_log_id": id_, "timestamp": stamps, "value": value}) for id_, value in values.items()
    ]
    recording = pd.concat(rows, ignore_index=True)
    recording.to_parquet(file, index=False)
    return recording
