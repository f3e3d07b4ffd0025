"""Calling AWS: clients, retries, errors, pages."""
