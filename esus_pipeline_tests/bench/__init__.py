"""Benchmarks: each measures a thing and its obvious alternative side by side in one run."""
