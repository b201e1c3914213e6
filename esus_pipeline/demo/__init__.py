"""The whole system on one machine: the building's twin, Dagster and the plan page, started and watched together."""
