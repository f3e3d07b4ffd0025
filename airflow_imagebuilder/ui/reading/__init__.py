"""What is read of Airflow's database: XComs, task instances and runs. Nothing is written."""
