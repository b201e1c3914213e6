"""Values of the wire to numbers. Whether a number is plausible is not decided here, but where readings are cleaned."""

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


def to_numbers(raw: Sequence[object]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.object_]]:
    """The `value` of each record as float64 and, for each, why it is none ("" where it is one)."""
    numbers = np.fromiter((value if type(value) is float else math.nan for value in raw), np.float64, len(raw))
    reasons = np.full(len(raw), "", dtype=object)
    for row in np.flatnonzero(~np.isfinite(numbers)).tolist():
        numbers[row], reasons[row] = _to_number(raw[row])
    return numbers, reasons


def _to_number(value: object) -> tuple[float, str]:
    if isinstance(value, str):
        return _text_to_number(value.strip())
    if value is None:
        return math.nan, "missing_value"
    if not isinstance(value, int | float):
        return math.nan, "bad_value"
    try:
        number = float(value)
    except OverflowError:
        return math.nan, "not_finite"
    return (number, "") if math.isfinite(number) else (math.nan, "not_finite")


def _text_to_number(text: str) -> tuple[float, str]:
    if not text:
        return math.nan, "missing_value"
    if _NOT_FINITE.fullmatch(text):
        return math.nan, "not_finite"
    if not _NUMBER.fullmatch(text):
        return math.nan, "bad_value"
    number = float(text.replace(",", "."))
    return (number, "") if math.isfinite(number) else (math.nan, "not_finite")
