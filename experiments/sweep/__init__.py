"""A command's cells: their inputs, their rounds, and what is measured beside them."""
