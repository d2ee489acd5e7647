"""Measures `augment`: composes cells, times them in fresh processes, stores and reports."""
