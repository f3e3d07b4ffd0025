"""An EC2 Image Builder that runs on your machine: ``python -m airflow_imagebuilder.local``."""

from airflow_imagebuilder.extras import need

need("local", __name__)
