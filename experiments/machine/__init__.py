"""The machine: its environment, load and speed, and the code that runs on it."""
