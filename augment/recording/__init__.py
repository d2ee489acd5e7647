"""How what happens in a trial is written down: logs, counters, faults, watched processes."""
