"""The room model: its discretisation against scipy's matrix exponential, its prior, its plain form."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from esus_pipeline.control.model import PARAMETERS, RoomModel, discretise, heat_from_valve
from esus_pipeline.control.model.room_model import water_by_weather
from esus_pipeline.site import load_site

SITE = load_site("tmv23")
PRIOR = RoomModel.from_site(SITE, "1.213")


@given(
    scale=st.lists(st.floats(0.2, 5.0), min_size=len(PARAMETERS), max_size=len(PARAMETERS)),
    step=st.sampled_from([60.0, 900.0, 3600.0]),
    conductance=st.floats(0, 500),
)
def test_the_step_is_the_matrix_exponential_of_the_equations(scale, step, conductance):
    values = {name: getattr(PRIOR, name) * by for name, by in zip(PARAMETERS, scale, strict=True)}
    m = PRIOR.with_parameters({**values, "f_air": min(values["f_air"], 1.0), "constant": 40.0})
    joint = np.zeros((7, 7))
    joint[0, :2] = np.array([-(m.h_am + m.h_ao + conductance), m.h_am]) / m.c_air
    joint[1, :2] = np.array([m.h_am, -(m.h_am + m.h_mo + m.h_mb)]) / m.c_mass
    joint[0, 2:] = np.array([m.h_ao, 1, m.f_air, m.g_person, m.constant]) / m.c_air
    joint[1, 2:] = np.array([m.h_mo, 0, 1 - m.f_air, 0, m.h_mb * m.building_temperature]) / m.c_mass
    exact = expm(joint * step)
    keep, push = discretise(m, step, conductance)
    np.testing.assert_allclose(keep, exact[:2, :2], atol=1e-12)
    np.testing.assert_allclose(push, exact[:2, 2:], rtol=1e-7, atol=1e-12)


def test_many_conductances_are_stepped_at_once():
    keep, push = discretise(PRIOR, 900, [0.0, 50.0, 100.0])
    assert keep.shape == (3, 2, 2)
    assert push.shape == (3, 2, 5)
    np.testing.assert_allclose(keep[1], discretise(PRIOR, 900, 50.0)[0])


@pytest.mark.parametrize("room", SITE.room_ids)
def test_the_prior_is_a_room_between_outdoors_and_building_that_is_warmed_by_what_warms_it(room):
    model = RoomModel.from_site(SITE, room)
    model.check()
    keep, push = discretise(model, 3600)
    slowest = -1 / np.log(np.abs(np.linalg.eigvals(keep)).max())
    assert 12 < slowest < 120
    steady = np.linalg.solve(np.eye(2) - keep, push)
    assert (steady[:, :4] > 0).all()
    assert 10 < steady[0, 4] < model.building_temperature
    np.testing.assert_allclose(steady @ [model.building_temperature, 0, 0, 0, 1], model.building_temperature)


def test_sun_radiator_and_air_follow_shade_valve_and_damper():
    gain_open, gain_shaded = np.array([1000.0]), np.array([150.0])
    half = replace(PRIOR, k_open=0.5)
    assert half.sun(gain_open, gain_shaded, np.array([0.0, 0.5, 1.0])) == pytest.approx([500, 325, 150])
    assert PRIOR.radiator_conductance(np.array([1.0])) * 40 == pytest.approx(PRIOR.heating_power)
    heat = heat_from_valve(30.0, np.array([0.0, 0.5, 1.0]), np.array([60.0]), np.array([20.0]))
    assert heat[[0, 2]] == pytest.approx([0, 1200])
    assert 600 < heat[1] < 1000
    assert water_by_weather(np.array([25.0, 4.0, -12.0, -20.0])) == pytest.approx([20, 43.5, 60, 60], abs=0.1)
    assert heat_from_valve(30.0, np.array([0.5]), np.array([18.0]), np.array([20.0])) == pytest.approx(0)
    full = PRIOR.supply_air_conductance(np.array([1.0]))
    assert PRIOR.fresh_air_conductance(np.array([0.0, 2.0, 1000.0])) == pytest.approx([0, full[0] / 4, full[0]])


def test_a_model_survives_json_and_a_strange_one_is_refused():
    trained = replace(
        PRIOR, version=3, trained_to=datetime(2026, 3, 1, tzinfo=UTC), rmse={24: 0.6}, unknown=("k_shaded",)
    )
    plain = json.loads(json.dumps(trained.to_dict()))
    assert RoomModel.from_dict(plain) == trained
    with pytest.raises(ValueError, match="colour"):
        RoomModel.from_dict({**plain, "colour": 1})
    with pytest.raises(ValueError, match="c_air"):
        RoomModel.from_dict({**plain, "c_air": float("nan")})
