"""Strategies that measure the machine instead of being fast."""
