"""The scan of an image: how far it is, what it has found, and the report on it."""
