"""What each experiment shows, one file per section."""
