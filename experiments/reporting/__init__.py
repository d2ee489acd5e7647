"""From rows to tables, charts and words. Reads what `experiments.store` gives, never runs a strategy."""
