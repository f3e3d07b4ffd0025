"""The text of the reference, from the live objects, as reStructuredText. Nothing here imports Sphinx."""
