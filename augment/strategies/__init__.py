"""All strategies: STRATEGIES is the one list, in the order of tables, from which all else derives."""

from augment.strategies.base import Strategy
from augment.strategies.dynamic import Dynamic, Threads
from augment.strategies.engines.executors import Dask, DataLoader, Futures, Loky
from augment.strategies.engines.ray import Ray
from augment.strategies.instruments.copies import Copies
from augment.strategies.instruments.interference import Interference
from augment.strategies.pool import P1, P2, PQ
from augment.strategies.sequential import Sequential

__all__ = ["STRATEGIES", "Strategy"]

STUDY = (Sequential, P1, PQ, P2)
OURS = (Dynamic, Threads)
ENGINES = (Futures, Loky, DataLoader, Dask, Ray)
INSTRUMENTS = (Copies, Interference)
STRATEGIES: dict[str, type[Strategy]] = {each.name: each for each in (*STUDY, *OURS, *ENGINES, *INSTRUMENTS)}
