"""`python -m esus_pipeline.simulator`."""

from esus_pipeline.simulator.command import simulate

if __name__ == "__main__":
    simulate(prog_name="python -m esus_pipeline.simulator")
