"""What the machine is: environment, limits, calibration, provenance."""
