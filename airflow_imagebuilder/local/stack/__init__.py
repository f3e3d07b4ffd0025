"""
The servers of a whole local set-up: the local Image Builder, and an Airflow that talks to it.

Used by the demo, the integration tests, the fault suite and the benchmarks. Both are context managers that
start real processes on 127.0.0.1, on free ports, and end exactly those.
"""

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.image_builder import LocalService

__all__ = ["AirflowStack", "LocalService", "StackError"]
