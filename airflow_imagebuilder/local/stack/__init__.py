"""The servers of a local set-up: the local Image Builder, and an Airflow that uses it.

Used by the demo, the integration tests, the fault suite and the benchmarks. Both are context managers that
start real processes on free ports of 127.0.0.1, and stop exactly those.
"""

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.image_builder import LocalService

__all__ = ["AirflowStack", "LocalService", "StackError"]
