"""The triggers: waits that cost no worker, all of a process on one shared poll."""

from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger

__all__ = ["ImageBuilderImageTrigger", "ImageBuilderTrigger", "ImageBuilderWorkflowTrigger"]
