import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from esus_pipeline.simulator.delivery import WORST_LATENESS_S
from esus_pipeline.simulator.rhythm import rhythm_of
from esus_pipeline.simulator.twin import Twin, UnknownTwinError
from esus_pipeline.simulator.week import week_of, week_start
from esus_pipeline.site import Site, load_site

from .conftest import ms

LATER = ms("2027-01-01")
FEBRUARY = ms("2026-02-02"), ms("2026-02-16") - 1
JULY = ms("2026-07-06"), ms("2026-07-20") - 1


def digest(twin: Twin, start: int, end: int, now: int) -> str:
    found = twin.readings(twin.site.point_ids, start, end, now)
    parts = [array.tobytes() for r in found.values() for array in (r.stamp, r.value, r.arrival)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def only(site: Site, quantity: str, room: str | None, note: str = "") -> int:
    return next(p.id for p in site.points if (p.quantity, p.room) == (quantity, room) and p.note.startswith(note))


def test_a_week_is_the_same_alone_or_with_others_and_in_another_process(twin: Twin) -> None:
    twin.readings([6023], *FEBRUARY, LATER)  # both weeks side by side
    together = digest(twin, ms("2026-02-10"), ms("2026-02-15"), LATER)
    code = (
        "from simulator.test_twin import LATER, Twin, digest, load_site, ms\n"
        "print(digest(Twin(load_site('tmv23'), 1), ms('2026-02-10'), ms('2026-02-15'), LATER))"
    )
    folder = Path(__file__).parents[1]
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    assert together == alone.stdout.strip()


def test_another_seed_is_another_building(site: Site, twin: Twin) -> None:
    assert not np.array_equal(Twin(site, 2)._building.glass, twin._building.glass)


def test_true_geometry_is_not_the_assumed_one_but_near_it(site: Site, twin: Twin) -> None:
    assumed = np.array([sum(w.area * (1 - w.frame_share) for w in room.windows) for room in site.rooms])
    ratio = twin._building.glass / assumed
    assert np.all((ratio > 0.8) & (ratio < 1.2))
    assert np.all(ratio != 1)


def test_every_point_speaks(site: Site, twin: Twin) -> None:
    found = twin.readings(site.point_ids, *FEBRUARY, LATER)
    assert len(site.point_ids) == 172
    assert [point.path for point in site.points if len(found[point.id].stamp) < 7] == []


def test_every_point_keeps_its_rhythm(site: Site, twin: Twin) -> None:
    found = twin.readings(site.point_ids, *FEBRUARY, LATER)
    for point in site.points:
        silence = np.diff(found[point.id].stamp) / 60_000
        assert silence.min() > 0, point.path
        rhythm = rhythm_of(point)
        if rhythm.deadband is None:
            assert np.median(silence) == pytest.approx(rhythm.minutes, abs=0.1), point.path
        # Gaps and lost readings are rare: nine silences in ten, and all but a few, keep the limit.
        assert np.mean(silence <= rhythm.minutes + 0.1) > 0.9, point.path


def test_setpoints_speak_daily_and_motion_by_change(site: Site, twin: Twin) -> None:
    base, motion = only(site, "base_setpoint", "1.215"), only(site, "occupancy", "1.215")
    found = twin.readings([base, motion], *FEBRUARY, LATER)
    assert 12 <= len(found[base].stamp) <= 14
    assert set(found[base].value) == {22.0}
    assert len(found[motion].stamp) > 60
    assert set(found[motion].value) == {0.0, 1.0}


def test_coarse_and_fine_log_show_one_sensor(site: Site, twin: Twin) -> None:
    coarse, fine = only(site, "air_temperature", "1.215", "coarse"), only(site, "air_temperature", "1.215", "fine")
    found = twin.readings([coarse, fine], *FEBRUARY, LATER)
    near = np.searchsorted(found[fine].stamp, found[coarse].stamp).clip(max=len(found[fine].stamp) - 1)
    assert np.quantile(np.abs(found[fine].value[near] - found[coarse].value), 0.95) <= 0.21


def test_phases_differ_between_points(site: Site, twin: Twin) -> None:
    coarse = [p.id for p in site.points if "coarse log" in p.note]
    found = twin.readings(coarse, *FEBRUARY, LATER)
    assert len({int(np.median(found[i].stamp % 900_000)) // 1000 for i in coarse}) > len(coarse) / 2


def test_seam_between_two_weeks_is_smooth(site: Site, twin: Twin) -> None:
    fine = [p.id for p in site.points if p.quantity == "air_temperature" and p.note.startswith("fine")]
    for start, end in (FEBRUARY, JULY):
        middle = (start + end + 1) // 2
        for readings in twin.readings(fine, middle - 3_600_000, middle + 3_600_000, LATER).values():
            before, after = readings.value[readings.stamp < middle], readings.value[readings.stamp >= middle]
            assert abs(before[-1] - after[0]) <= 0.5


def test_meter_counts_up_over_the_seam_and_counts_its_own_power(site: Site, twin: Twin) -> None:
    energy, power = only(site, "heating_energy", None), only(site, "heating_power", None)
    found = twin.readings([energy, power], *FEBRUARY, LATER)
    assert np.all(np.diff(found[energy].value) >= 0)
    counted = found[energy].value[-1] - found[energy].value[0]
    hours = (found[energy].stamp[-1] - found[energy].stamp[0]) / 3.6e6
    assert counted == pytest.approx(found[power].value.mean() * hours, rel=0.02)


def test_lateness_never_exceeds_eight_hours_and_is_shared_by_a_controller(site: Site, twin: Twin) -> None:
    worst: dict[str, list[tuple[int, int]]] = {}
    found = twin.readings(site.point_ids, *FEBRUARY, LATER)
    for point in site.points:
        readings = found[point.id]
        late = readings.arrival - readings.stamp
        assert late.min() > 0
        assert late.max() <= WORST_LATENESS_S * 1000
        assert np.median(late) < 120_000
        rows = np.flatnonzero(late > 600_000)
        worst.setdefault(point.controller, []).extend((int(readings.arrival[k]), point.id) for k in rows)
    assert len(worst) == 3
    rooms = worst["TM023_3_20_1.204"]
    arrivals = {arrival for arrival, _ in rooms}
    assert len(rooms) > 50
    assert len(arrivals) <= 5  # every outage of the controller ends once, for all of its points
    assert len({point_id for _, point_id in rooms}) > 20


def test_nothing_is_served_before_it_arrives(site: Site, twin: Twin) -> None:
    start, now = ms("2026-02-09"), ms("2026-02-11 09:07")
    end = FEBRUARY[1] - 1
    early = twin.readings(site.point_ids, start, end, now)
    final = twin.readings(site.point_ids, start, end, LATER)
    for point_id, readings in early.items():
        assert np.all(readings.arrival <= now)
        assert np.array_equal(readings.stamp, final[point_id].stamp[final[point_id].arrival <= now])
    assert sum(len(r.stamp) for r in early.values()) > 10_000


def test_both_ends_of_the_interval_are_included(twin: Twin) -> None:
    all_day = twin.readings([6023], ms("2026-02-10"), ms("2026-02-11"), LATER)[6023].stamp
    part = twin.readings([6023], int(all_day[3]), int(all_day[7]), LATER)[6023].stamp
    assert part.tolist() == all_day[3:8].tolist()


def test_spikes_gaps_and_stuck_sensors_are_there_and_rare(site: Site, twin: Twin) -> None:
    fine = [p.id for p in site.points if p.quantity == "air_temperature" and p.note.startswith("fine")]
    found = twin.readings(fine, *FEBRUARY, LATER)
    values = np.concatenate([r.value for r in found.values()])
    absurd = np.mean((values < 10) | (values > 40))
    lost = 1 - len(values) / (len(fine) * 14 * 288)
    assert absurd < 0.002
    assert 0 < lost < 0.08


def test_weeks_begin_on_monday() -> None:
    monday = ms("2026-02-02") // 1000
    assert week_start(week_of(monday)) == monday
    assert week_of(monday + 7 * 86400 - 1) == week_of(monday)


def test_a_site_without_twin_asks_for_a_recording() -> None:
    with pytest.raises(UnknownTwinError, match="--replay"):
        Twin(load_site("ou44"), 1)
