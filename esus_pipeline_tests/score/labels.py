"""Which recorded readings are faults: labelled by a language model that knew neither detector nor score.

It looked at the largest steps and there-and-backs of CO2 and temperature in the whole month, beside people counters,
damper, the other room and the mass balance; a reading counts where it would bet nine to one. In `labels.csv`: an hour
and a half of 8 April with the breath of hundreds of people, and an empty room's CO2 far below that of outdoor air on
three days. Left out: the doubtful ones, and a sensor that is 100 ppm low all month, which is calibration.
"""

from pathlib import Path

import pandas as pd

_FILE = Path(__file__).with_name("labels.csv")


def recorded_faults() -> pd.DataFrame:
    """Columns point_id and timestamp (UTC)."""
    return pd.read_csv(_FILE, parse_dates=["timestamp"])
