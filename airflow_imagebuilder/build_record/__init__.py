"""
What a task records of its image, for Airflow's pages and for a user's own tools.

``build`` makes the record of an image, ``workflow`` that of one workflow with its steps. Each is a JSON-safe
mapping of a bounded size. docs/build-record.md documents the members.
"""

SCHEMA = 1
"""The version of both records. It rises when an older reader would misread a record; a new member that an
older reader can ignore does not raise it."""
