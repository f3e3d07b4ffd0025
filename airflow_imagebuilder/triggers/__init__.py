"""The triggers: waits that need no worker. All waits of a process share one poller."""

from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.find_image import ImageBuilderFindImageTrigger
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from airflow_imagebuilder.triggers.image_event import ImageBuilderImageEventTrigger
from airflow_imagebuilder.triggers.scan import ImageBuilderScanTrigger
from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger

__all__ = [
    "ImageBuilderFindImageTrigger",
    "ImageBuilderImageEventTrigger",
    "ImageBuilderImageTrigger",
    "ImageBuilderScanTrigger",
    "ImageBuilderTrigger",
    "ImageBuilderWorkflowTrigger",
]
