"""What a delivery of rows changes in the rows that are stored: which are new, which have another value, which are gone.

Belongs here: comparing rows by key. Does not belong here: files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.frames import Frame

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Merge:
    """Outcome of a merge. The rows delivered = new + updated + same + repeated."""

    new: int
    """Rows whose key was not stored."""
    updated: int
    """Rows whose key was stored with other values."""
    same: int
    """Rows that were stored already."""
    repeated: int
    """Rows of the delivery whose key came again later in it; the last one counts."""
    changed: pd.DataFrame
    """The new and updated rows, as delivered."""
    superseded: pd.DataFrame
    """The stored rows that the updated ones replaced."""


@dataclass(frozen=True)
class Difference:
    """Where delivered and stored rows differ: masks over the delivered rows and over the stored ones."""

    new: Mask
    updated: Mask
    superseded: Mask
    absent: Mask
    """Stored rows whose key was not delivered."""


def difference(frame: Frame, stored: pd.DataFrame, rows: pd.DataFrame, compare: Sequence[str] | None) -> Difference:
    """Compare `rows` with the `stored` ones of the same key, by the columns `compare` (none: all but the key).

    Both have unique keys. Two missing values are equal.
    """
    key = list(frame.key)
    values = [name for name in frame.schema.names if name not in key] if compare is None else list(compare)
    near = _near(frame, stored, rows)
    old = stored[[*key, *values]].assign(_position=np.arange(len(stored)))
    joined = rows.loc[near, [*key, *values]].merge(old, on=key, how="left", suffixes=("", "_old"))
    known = joined["_position"].notna().to_numpy()
    same = known.copy()
    for name in values:
        same &= _equal(joined[name], joined[f"{name}_old"])
    found, equal = near.copy(), near.copy()
    found[near], equal[near] = known, same
    position = joined["_position"].to_numpy()
    superseded = np.zeros(len(stored), dtype=bool)
    superseded[position[known & ~same].astype(int)] = True
    absent = np.ones(len(stored), dtype=bool)
    absent[position[known].astype(int)] = False
    return Difference(new=~found, updated=found & ~equal, superseded=superseded, absent=absent)


def _near(frame: Frame, stored: pd.DataFrame, rows: pd.DataFrame) -> Mask:
    """The rows that have a time which some stored row has; all others are new, and need not be looked for."""
    if frame.time not in frame.key:
        return np.ones(len(rows), dtype=bool)
    return rows[frame.time].isin(stored[frame.time]).to_numpy(dtype=bool)


def _equal(left: pd.Series, right: pd.Series) -> Mask:
    same = (left == right).fillna(False).to_numpy(dtype=bool)
    return np.asarray(same | (left.isna() & right.isna()).to_numpy(dtype=bool))
