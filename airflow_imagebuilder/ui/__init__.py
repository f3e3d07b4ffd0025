"""The pages in Airflow's UI: the build of a run, the golden images, and the JSON API that both read."""
