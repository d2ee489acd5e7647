"""`experiment=advise`: the search for the best strategy, worker count and runtime within a budget of time."""
