"""EC2 Image Builder itself: what it takes, what it answers, how it fails. Knows no Airflow."""
