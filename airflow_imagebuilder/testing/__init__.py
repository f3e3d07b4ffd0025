"""For the tests of your own Dags: a fast local Image Builder, and no way to a real AWS account.

The switch is a pytest plugin, which a project turns on in its ``pyproject.toml``:

.. code-block:: toml

    [tool.pytest.ini_options]
    addopts = "-p airflow_imagebuilder.testing.plugin"

It needs the extra ``testing``. ``docs/testing-your-dags.md`` shows a whole project.
"""

from __future__ import annotations

from airflow_imagebuilder.extras import need
from airflow_imagebuilder.testing.dag_runs import DagRunStateError, Run, run_dag
from airflow_imagebuilder.testing.image_builder import Call, ImageBuilder, local_image_builder
from airflow_imagebuilder.testing.mode import start_test_mode

need("testing", __name__)

__all__ = [
    "Call",
    "DagRunStateError",
    "ImageBuilder",
    "Run",
    "local_image_builder",
    "run_dag",
    "start_test_mode",
]
