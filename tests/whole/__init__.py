"""The bars of the whole command, from start to end: `python -m tests.whole`, or `make whole`."""
