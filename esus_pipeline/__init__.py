"""esus_pipeline: building readings and weather forecasts become a shade and setpoint schedule per room."""
