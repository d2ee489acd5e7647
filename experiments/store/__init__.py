"""The parquet files in which measuring and reporting meet: their columns, and how they are written."""
