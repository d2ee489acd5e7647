"""The page: all results in one file that answers first and proves after."""
