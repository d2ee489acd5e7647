"""STRATEGIES is the one list of strategies: the command line, the help, the contract tests and
the reports derive from it. A new one is one file here and its name below, in the order of tables."""

from augment.strategies.base import Strategy
from augment.strategies.instruments.copies import Copies
from augment.strategies.instruments.interference import Interference
from augment.strategies.pool import P1, P2
from augment.strategies.queue import PQ
from augment.strategies.sequential import Sequential

__all__ = ["STRATEGIES", "Strategy"]

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy for strategy in (Sequential, P1, PQ, P2, Copies, Interference)
}
