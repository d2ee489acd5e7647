"""One trial: its process, its supervisor, its row and its tables."""
