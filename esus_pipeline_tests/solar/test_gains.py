import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pvlib import atmosphere, iotools, irradiance, solarposition

from esus_pipeline.frames import SOLAR_GAIN, SOLAR_GAIN_PANE, STEP
from esus_pipeline.solar import Estimates, latest_known, pane_gains, room_gains, with_nowcast
from esus_pipeline.solar.glazing import DIFFUSE_SHARE, angular_share
from esus_pipeline.solar.sky import Sky, on_plane, sky_of

EPW = Path(__file__).parents[2] / "../shared/data/weather/DNK_MJ_Horsens.Bygholm.061020_TMYx.2003-2017.epw"


def kwh(values: pd.Series) -> float:
    return float(values.sum() / 4000)


def test_a_south_pane_gets_most_near_equinox_and_a_fair_share_in_december(one_pane, clear_day):
    """Clear-sky totals on upright south at 57 degrees north, kWh/m2; pvlib's own Hay and Davies gives the same."""
    south = {
        day: kwh(pane_gains(one_pane(), clear_day(day))["poa_global"])
        for day in ("2026-03-20", "2026-06-21", "2026-12-21")
    }
    assert list(south.values()) == pytest.approx([5.7, 4.3, 1.9], rel=0.08)


def test_south_by_season_against_level(one_pane, clear_day):
    for day, low, high in (("2026-06-21", 0.45, 0.6), ("2026-12-21", 4.0, 6.0)):
        issue = clear_day(day)
        ratio = kwh(pane_gains(one_pane(), issue)["poa_global"]) / kwh(issue["ghi"])
        assert low < ratio < high, day


def test_east_and_west_mirror_each_other_about_solar_noon(one_pane, clear_day):
    issue = clear_day("2026-06-21")
    east, west = (pane_gains(one_pane(azimuth), issue)["gain_open"].to_numpy() for azimuth in (90.0, 270.0))
    assert east.sum() == pytest.approx(west.sum(), rel=0.01)
    hours = np.arange(96) / 4 + 0.125
    centre = (east * hours).sum() / east.sum() + (west * hours).sum() / west.sum()
    assert centre / 2 == pytest.approx(12 - 10 / 15 + 2 / 60, abs=0.03), "noon: 40 minutes of longitude, 2 of equation"


def others(model: str, tilt: float, azimuth: float, sky: Sky) -> float:
    """The sum by pvlib's own combination of components, W/m2 times the number of values."""
    total = irradiance.get_total_irradiance(
        tilt, azimuth, sky.zenith, sky.azimuth, sky.dni, sky.ghi, sky.dhi, sky.extraterrestrial,
        airmass=atmosphere.get_relative_airmass(sky.zenith), model=model, albedo=0.2,
    )  # fmt: skip
    return float(np.nansum(total["poa_global"]))


@pytest.mark.parametrize("day", ["2026-03-20", "2026-06-21", "2026-12-21"])
@pytest.mark.parametrize("azimuth", [90.0, 180.0, 250.0])
def test_clear_days_against_the_models_of_others(one_pane, clear_day, day, azimuth):
    """Hay and Davies by pvlib itself; Perez, which brightens the horizon, lies up to 15 % higher at low sun."""
    site = one_pane(azimuth)
    issue = clear_day(day)
    ours = pane_gains(site, issue)["poa_global"].sum()
    sky = sky_of(site.place, issue)
    assert ours == pytest.approx(others("haydavies", 90, azimuth, sky), rel=0.01)
    assert 0.85 < ours / others("perez", 90, azimuth, sky) < 1.0


def test_one_interval_by_hand(one_pane):
    """No direct sun: the upright pane sees half the even sky and albedo / 2 of the ground."""
    start = pd.Timestamp("2026-06-21T11:00Z")
    issue = pd.DataFrame({"issued_at": [start], "valid_time": [start], "ghi": [200.0], "dni": [0.0], "dhi": [200.0]})
    row = pane_gains(one_pane(facade={"albedo": 0.3}), issue).iloc[0]
    assert row["poa_global"] == pytest.approx(100 + 30)
    assert row["gain_open"] == pytest.approx(1.6 * 0.5 * DIFFUSE_SHARE * 130)
    assert row["gain_shaded"] == pytest.approx(1.6 * 0.1 * DIFFUSE_SHARE * 130)


def test_the_beam_by_hand(one_pane):
    start = pd.Timestamp("2026-06-21T11:15Z")
    issue = pd.DataFrame({"issued_at": [start], "valid_time": [start], "ghi": [0.0], "dni": [800.0], "dhi": [0.0]})
    row = pane_gains(one_pane(), issue).iloc[0]
    sun = solarposition.get_solarposition(pd.DatetimeIndex([start + STEP / 2]), 57.0, 10.0, 20).iloc[0]
    cosine = np.sin(np.radians(sun["apparent_zenith"])) * np.cos(np.radians(sun["azimuth"] - 180))
    share = angular_share(np.degrees(np.arccos([cosine])))[0]
    assert row["poa_global"] == pytest.approx(800 * cosine)
    assert row["gain_open"] == pytest.approx(1.6 * 0.5 * share * 800 * cosine)


def test_an_obstruction_takes_beam_and_circumsolar_light_but_not_the_ground(one_pane, clear_day):
    issue = clear_day("2026-06-21")
    wall = pane_gains(one_pane(facade={"horizon": [[0, 80]], "albedo": 0.2}), issue)
    assert wall["poa_global"].max() < 0.1 * issue["ghi"].max() + 0.05 * issue["dhi"].max()
    assert wall["poa_global"].max() >= 0.1 * issue["ghi"].max()
    free = pane_gains(one_pane(), issue)
    deep = pane_gains(one_pane(overhang={"depth": 20, "window_height": 1.5}), issue)
    assert deep["gain_open"].sum() < 0.45 * free["gain_open"].sum()


def test_a_slab_shades_summer_noon_and_lets_winter_in(one_pane, clear_day):
    slab = {"depth": 0.8, "gap": 0.2, "window_height": 1.5}
    kept = {}
    for day in ("2026-06-21", "2026-12-21"):
        issue = clear_day(day)
        free, shaded = (pane_gains(one_pane(overhang=over), issue)["gain_open"].sum() for over in (None, slab))
        kept[day] = shaded / free
    assert kept["2026-06-21"] < 0.6
    assert kept["2026-12-21"] > 0.85


def test_window_may_be_turned_and_tilted_away_from_its_facade(one_pane, clear_day):
    issue = clear_day("2026-06-21")
    level = pane_gains(one_pane(tilt=0), issue)
    assert level["poa_global"].to_numpy() == pytest.approx(issue["ghi"].to_numpy(), abs=25)
    turned = pane_gains(one_pane(azimuth=0.0, facade={}), issue)
    assert turned["poa_global"].sum() < 0.6 * level["poa_global"].sum()


def test_no_shade_means_no_difference_and_a_bad_shade_never_adds(one_pane, clear_day):
    issue = clear_day("2026-06-21")
    bare = pane_gains(one_pane(shade=None), issue)
    assert bare["gain_shaded"].tolist() == bare["gain_open"].tolist()
    solar_glass = pane_gains(one_pane(g_value=0.05), issue)
    assert solar_glass["gain_shaded"].tolist() == solar_glass["gain_open"].tolist()


def test_missing_irradiance_gives_missing_gain_and_night_gives_zero(one_pane, clear_day):
    issue = clear_day("2026-12-21")
    issue.loc[48, "ghi"] = np.nan
    gains = room_gains(one_pane(), pane_gains(one_pane(), issue))
    assert gains["gain_open"].isna().sum() == 1
    assert gains["gain_open"].iloc[0] == 0.0


def test_rooms_add_their_panes_and_weigh_irradiance_by_area(one_pane, clear_day):
    south = one_pane()
    room = south.rooms[0]
    other = room.windows[0].model_copy(update={"id": "w2", "azimuth": 90.0, "area": 6.0})
    rooms = (
        room.model_copy(update={"windows": (room.windows[0], other)}),
        room.model_copy(update={"id": "core", "windows": ()}),
    )
    site = south.model_copy(update={"rooms": rooms})
    panes = pane_gains(site, clear_day("2026-03-20"))
    gains = room_gains(site, panes).set_index(["room", "valid_time"])
    by_pane = panes.set_index(["window", "valid_time"])
    w1, w2 = by_pane.loc["w1"], by_pane.loc["w2"]
    assert gains.loc["r1", "gain_open"].tolist() == pytest.approx((w1["gain_open"] + w2["gain_open"]).tolist())
    assert gains.loc["r1", "poa_global"].tolist() == pytest.approx(
        (w1["poa_global"] * 0.25 + w2["poa_global"] * 0.75).tolist()
    )
    assert gains.loc["core", "gain_open"].eq(0).all()
    assert gains.loc["core", "poa_global"].isna().all()


def test_several_issues_at_once_are_the_issues_one_by_one(tmv23, clear_day):
    first, second = clear_day("2026-06-21", 60), clear_day("2026-06-22", 60)
    together = pane_gains(tmv23, pd.concat([first, second], ignore_index=True))
    apart = pd.concat([pane_gains(tmv23, first), pane_gains(tmv23, second)], ignore_index=True)
    key = list(SOLAR_GAIN_PANE.key)
    pd.testing.assert_frame_equal(
        together.sort_values(key, ignore_index=True), apart.sort_values(key, ignore_index=True), rtol=1e-9
    )


def test_nothing_in_nothing_out(tmv23, clear_day):
    panes = pane_gains(tmv23, clear_day("2026-06-21").iloc[:0])
    assert (len(panes), len(room_gains(tmv23, panes))) == (0, 0)
    assert list(room_gains(tmv23, panes).columns) == SOLAR_GAIN.schema.names


def test_speed(tmv23, clear_day):
    """240 rows of 6 panes; generous against a busy machine."""
    issue = clear_day("2026-06-21", 60)
    room_gains(tmv23, pane_gains(tmv23, issue))
    begun = time.process_time()
    for _ in range(5):
        room_gains(tmv23, pane_gains(tmv23, issue))
    assert (time.process_time() - begun) / 5 < 0.15


def test_latest_known_takes_the_newest_row_that_was_known():
    stamps = pd.to_datetime(["2026-06-21T06:00Z", "2026-06-21T09:00Z", "2026-06-21T12:00Z"])
    valid = pd.Timestamp("2026-06-21T13:00Z")
    gains = pd.DataFrame({"issued_at": stamps, "room": "a", "valid_time": valid, "gain_open": [1.0, 2.0, 3.0]})
    older = gains.iloc[[0]].assign(valid_time=valid + STEP)
    known = latest_known(pd.concat([gains, older]), stamps[1])
    assert known["gain_open"].tolist() == [2.0, 1.0]
    assert latest_known(gains, stamps[0] - STEP).empty
    panes = pd.concat([gains.assign(window="w1"), gains.assign(window="w2")])
    assert latest_known(panes, stamps[2])["gain_open"].tolist() == [3.0, 3.0]


def test_estimates_answer_each_instant_as_if_it_were_the_only_one():
    stamps = pd.date_range("2026-06-21T06:00Z", periods=12, freq=STEP)
    drawn = np.random.default_rng(7)
    gains = pd.DataFrame(
        {
            "issued_at": drawn.choice(stamps, 200),
            "room": drawn.choice(["a", "b"], 200),
            "valid_time": drawn.choice(stamps, 200),
            "gain_open": np.arange(200.0),
        }
    ).drop_duplicates(["issued_at", "room", "valid_time"])
    estimates = Estimates(gains)
    for as_of in stamps:
        newest: dict[tuple[str, pd.Timestamp], tuple[pd.Timestamp, float]] = {}
        for row in gains[gains["issued_at"] <= as_of].itertuples():
            newest[row.room, row.valid_time] = max(
                newest.get((row.room, row.valid_time), (stamps[0], -1.0)), (row.issued_at, row.gain_open)
            )
        known = estimates.known_at(as_of)
        assert list(zip(known["room"], known["valid_time"], strict=True)) == sorted(newest)
        assert known["gain_open"].tolist() == [newest[key][1] for key in sorted(newest)]
    assert Estimates(gains.iloc[:0]).known_at(stamps[0]).empty


def test_a_nowcast_takes_the_place_of_an_issue_of_the_same_instant():
    at = pd.Timestamp("2026-06-21T12:00Z")
    issue = pd.DataFrame({"issued_at": at, "room": "a", "valid_time": [at, at + STEP], "gain_open": [1.0, 1.0]})
    both = with_nowcast(issue, issue.iloc[[0]].assign(gain_open=5.0))
    assert sorted(both["gain_open"]) == [1.0, 5.0]
    assert len(with_nowcast(issue, issue.iloc[:0])) == 2


@pytest.mark.skipif(not EPW.exists(), reason="the typical weather year is not part of this repository")
def test_a_typical_danish_year_on_four_facades():
    """Yearly sums, hours ending at their stamp (the reader stamps their start): near Perez, and of the usual order."""
    data, place = iotools.read_epw(EPW)
    middle = data.index + pd.Timedelta("30min")
    sun = solarposition.get_solarposition(middle, place["latitude"], place["longitude"], place["altitude"])
    ghi, dni, dhi = (data[name].to_numpy(float) for name in ("ghi", "dni", "dhi"))
    extra = irradiance.get_extra_radiation(middle).to_numpy()
    sky = Sky(sun["apparent_zenith"].to_numpy(), sun["azimuth"].to_numpy(), extra, ghi, dni, dhi)
    sums = {}
    for facing in (0, 90, 180, 270):
        plane = on_plane(sky, 90.0, facing, 0.2)
        sums[facing] = float((plane.direct + plane.sky + plane.ground).sum())
        assert 0.92 < sums[facing] / others("perez", 90, facing, sky) < 1.01
    assert 0.7 < sums[180] / ghi.sum() < 0.95
    assert 0.25 < sums[0] / ghi.sum() < 0.4
    assert sums[0] < sums[90] < sums[180]
