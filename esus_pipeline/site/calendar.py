"""Which days people have off, where the building stands. Belongs here: the calendar alone, not what follows from it.

Holidays come from the package holidays: rules for a movable Easter are not ours to keep.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Calendar:
    """Local time and the holidays of a country (ISO 3166; none means that no holiday is known)."""

    zone: ZoneInfo
    country: str | None = None

    def is_holiday(self, day: date) -> bool:
        """Public holidays and days that offices usually take off, such as Christmas Eve."""
        return self.country is not None and day in _holidays(self.country, day.year)


@cache
def _holidays(country: str, year: int) -> frozenset[date]:
    import holidays

    known = holidays.country_holidays(country, years=year)
    if "optional" in known.supported_categories:
        known = holidays.country_holidays(country, years=year, categories=("public", "optional"))
    return frozenset(known)
