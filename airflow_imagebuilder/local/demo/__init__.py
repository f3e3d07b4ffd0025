"""The demo: a golden image, baked with a real Airflow on this machine or on Docker."""
