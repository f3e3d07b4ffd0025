"""What the shared watcher takes from Airflow: its settings, its metrics, the queue that it listens to."""
