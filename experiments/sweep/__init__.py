"""A command's cells: their inputs, their rounds, and their companions."""
