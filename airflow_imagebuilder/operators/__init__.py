"""The operators, one noun a module."""
