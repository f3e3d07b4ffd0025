"""Calling AWS: clients, rate, retries, errors, answers and pages."""
