"""The machine: its environment, limits, load and speed, and the code that runs on it."""
