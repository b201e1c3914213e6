"""What plans of several days are told of the rooms: a process of its own works a day ahead of the plans.

Estimating the rooms and deciding the plans are both Python, which runs on one core a process. A single day, such as the
live quarter of an hour, needs no second process.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import connection, get_context, parent_process

from esus_pipeline.archive import Archive
from esus_pipeline.control.model.now import Now, RoomsNow
from esus_pipeline.site import Site

DAYS_AHEAD = 2

Rooms = Callable[[datetime], Now]
"""What is known of the rooms at an instant of one day, as RoomsNow.at."""


def rooms_of_days(site: Site, archive: Archive, days: Sequence[Sequence[datetime]]) -> Generator[Rooms]:
    """For each day, given by the instants of its plans, what is known of the rooms; to be used one after the other."""
    if len(days) < 2:
        yield from (RoomsNow(site, archive, instants[0]).at for instants in days)
        return
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_end_with_parent) as pool:
        begun = deque(pool.submit(_full_hours, site, archive, instants) for instants in days[:DAYS_AHEAD])
        for number, instants in enumerate(days, start=DAYS_AHEAD):
            told = begun.popleft().result()
            begun.extend(pool.submit(_full_hours, site, archive, later) for later in days[number : number + 1])
            yield _first_of(told, RoomsNow(site, archive, instants[0]))


def _first_of(told: Mapping[datetime, Now], rooms: RoomsNow) -> Rooms:
    return lambda as_of: told[as_of] if as_of in told else rooms.at(as_of)


def _full_hours(site: Site, archive: Archive, instants: Sequence[datetime]) -> dict[datetime, Now]:
    """At the instants at which plans make a new optimum."""
    rooms = RoomsNow(site, archive, instants[0])
    return {instant: rooms.at(instant) for instant in instants if not instant.minute}


def _end_with_parent() -> None:
    """A killed run leaves no process behind."""
    parent = parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: connection.wait([sentinel]) and os._exit(1), daemon=True).start()
