"""What the gates know of EC2 Image Builder, without Airflow: reasons to build, findings, outputs."""
