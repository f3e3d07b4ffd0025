"""The operators, and the modules that they share."""
