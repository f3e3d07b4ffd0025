"""Watching images: one shared, rate-limited poll for any number of waits."""
