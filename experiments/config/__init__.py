"""The options of a command, and the cell that they make."""
