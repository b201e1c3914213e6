import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esus_pipeline.site.model import Overhang
from esus_pipeline.solar.glazing import DIFFUSE_SHARE, angular_share
from esus_pipeline.solar.obstruction import sky_share, sunlit_share

SLAB = Overhang(depth=1.0, gap=0.5, window_height=1.5)


def share(azimuth: float, elevation: float, horizon=(), overhang=None, pane_azimuth: float = 180.0) -> float:
    return float(sunlit_share(horizon, overhang, pane_azimuth, np.array([azimuth]), np.array([elevation]))[0])


def test_skyline_is_drawn_with_straight_lines_and_closes_over_north():
    skyline = ((90.0, 10.0), (270.0, 20.0))
    assert share(180, 14.9, skyline) == 0
    assert share(180, 15.1, skyline) == 1
    assert share(0, 14.9, skyline) == 0
    assert share(0, 15.1, skyline) == 1
    assert share(300, 19.0, skyline) == 1
    assert share(280, 19.0, skyline) == 0


def test_sun_below_a_free_horizon_reaches_nothing():
    assert share(180, -0.1) == 0
    assert share(180, 0.1) == 1


@pytest.mark.parametrize(
    ("turned", "elevation", "expected"),
    [
        (0, 26.565, 1.0),  # shadow 0.5 m: only the gap
        (0, 45.0, 1 - 0.5 / 1.5),  # shadow 1.0 m: 0.5 m of the pane
        (0, 63.435, 0.0),  # shadow 2.0 m: all of it
        (60, 26.565, 1 - 0.5 / 1.5),  # twice the profile's tangent
        (-60, 26.565, 1 - 0.5 / 1.5),
        (89.9, 30, 0.0),  # along the facade
    ],
)
def test_shadow_of_a_slab_by_hand(turned, elevation, expected):
    assert share(180 + turned, elevation, overhang=SLAB) == pytest.approx(expected, abs=1e-3)


@given(st.floats(0, 360), st.floats(0, 90), st.floats(0.1, 5), st.floats(0, 2))
def test_a_share_is_a_share_and_a_deeper_slab_never_helps(azimuth, elevation, depth, gap):
    shallow = Overhang(depth=depth, gap=gap, window_height=1.5)
    deep = Overhang(depth=2 * depth, gap=gap, window_height=1.5)
    assert 0 <= share(azimuth, elevation, overhang=deep) <= share(azimuth, elevation, overhang=shallow) <= 1


def test_sky_share_of_a_level_skyline_by_hand():
    """For an upright pane and a level skyline of height h it is 1 - (2 h + sin 2h) / pi."""
    for height in (10.0, 30.0, 60.0):
        h = np.radians(height)
        expected = 1 - (2 * h + np.sin(2 * h)) / np.pi
        assert sky_share(((0.0, height),), None, 180.0, 90.0) == pytest.approx(expected, abs=0.002)


def test_sky_share_without_obstruction_and_of_a_level_plane():
    assert sky_share((), None, 90.0, 90.0) == 1.0
    assert sky_share(((0.0, 30.0),), None, 180.0, 0.0) == pytest.approx(np.cos(np.radians(30)) ** 2, abs=0.01)


def test_sky_share_of_a_slab_by_hand():
    """A point of the pane, y below a very wide slab of depth d, sees 1 - (1 - sin a) of its half sky, tan a = y / d."""
    y = SLAB.gap + (np.arange(1000) + 0.5) / 1000 * SLAB.window_height
    expected = np.mean(y / np.hypot(y, SLAB.depth))
    assert sky_share((), SLAB, 180.0, 90.0) == pytest.approx(expected, abs=0.01)


def test_glass_lets_less_through_at_a_slant():
    degrees = np.arange(0.0, 91.0)
    shares = angular_share(degrees)
    assert shares[0] == 1
    assert shares[90] == pytest.approx(0, abs=1e-12)
    assert (np.diff(shares) <= 0).all()
    assert angular_share(np.array([120.0]))[0] == pytest.approx(0, abs=1e-12)


def test_glass_is_near_the_optics_of_clear_double_glazing():
    """Its total gain at 40, 55 and 70 degrees over that at normal incidence, from detailed optics."""
    assert angular_share(np.array([40.0, 55.0, 70.0])) == pytest.approx([0.976, 0.917, 0.694], abs=0.015)


def test_diffuse_light_comes_in_as_at_about_sixty_degrees():
    at_58_degrees = angular_share(np.array([58.5]))[0]
    assert abs(DIFFUSE_SHARE - at_58_degrees) < 0.01
    assert 0.85 < DIFFUSE_SHARE < 0.92
