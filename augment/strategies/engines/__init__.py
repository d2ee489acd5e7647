"""Other people's executors as strategies, each as a competent user of it would write it."""
