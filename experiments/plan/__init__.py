"""What to measure: options, cells, and what is measured beside them."""
