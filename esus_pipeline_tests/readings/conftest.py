from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from esus_pipeline.frames import RAW_BMS_READINGS
from esus_pipeline.site import Site, load_site

MONTH = Path(__file__).parents[3] / "shared" / "data" / "ou44" / "readings.parquet"


@dataclass(frozen=True)
class Recorded:
    site: Site
    raw: pd.DataFrame


@pytest.fixture(scope="session")
def ou44() -> Recorded:
    """The recorded month of OU44, where it is at hand."""
    if not MONTH.is_file():
        pytest.skip("the recorded month is not at hand")
    raw = pd.read_parquet(MONTH).rename(columns={"external_log_id": "point_id"})
    raw["received_at"] = raw["timestamp"] + pd.Timedelta(minutes=5)
    return Recorded(load_site("ou44"), RAW_BMS_READINGS.conform(raw))
