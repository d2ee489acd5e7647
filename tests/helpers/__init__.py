"""Helpers of the tests, each module named by what it makes."""
