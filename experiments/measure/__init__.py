"""How it is measured: sweeps, trials, their supervisor."""
