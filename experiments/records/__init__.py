"""The parquet wall: what was measured, written once."""
