"""The record of an image that tasks write for the pages in Airflow's UI, and for anybody's own tools.

It is an XCom, written once per change, small and versioned. ``docs/build-record.md`` documents each member.
"""
