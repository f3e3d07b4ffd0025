"""Build the images of docker-compose.yaml and start nothing: ``make compose-build``."""

from __future__ import annotations

from pathlib import Path

from airflow_imagebuilder.local.stack.compose import ComposeStack

if __name__ == "__main__":
    ComposeStack(Path(".demo/compose"), Path("dags"), speed=1).build()
