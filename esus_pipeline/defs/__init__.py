"""The Dagster side of the pipeline: thin assets, jobs, schedules and sensors. No physics, no parsing, no HTTP here."""
