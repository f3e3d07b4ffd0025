"""From the records of tasks to what a page shows of an image."""
