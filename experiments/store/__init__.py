"""The parquet files in which measuring and reporting meet: their columns, and how they are written."""


class StoreError(OSError):
    """A failure to write or read results: one line with the file and the cause."""
