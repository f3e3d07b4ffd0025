"""An EC2 Image Builder that runs on your machine: ``python -m airflow_imagebuilder.local``."""
