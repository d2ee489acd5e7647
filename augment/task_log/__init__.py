"""The logs that the processes of a trial keep, and how they are read."""
