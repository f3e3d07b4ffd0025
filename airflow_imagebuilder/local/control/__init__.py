"""``python -m airflow_imagebuilder.local control``: change a local Image Builder while it runs."""
