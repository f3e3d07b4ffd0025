"""The workflows that Amazon manages.

Only names, actions and their order are Amazon's; the documents are written for the local service.
Sources: User Guide, "Manage image workflows"; the example of ``list-workflow-step-executions`` of the AWS CLI
(steps of ``build-image``); tests of Terraform's AWS provider that clone ``test-image``. The steps of
``test-container`` and of the two workflows of distribution are the guess MANAGED_STEPS.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_imagebuilder.local.emulator.documents import workflow

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.documents.workflow import WorkflowDocument

_FOLDER = Path(__file__).with_name("documents")
#: The newest version of each, by type and name. A request can name them as ``x.x.x`` alone.
VERSIONS: Final = {
    ("BUILD", "build-image"): "1.0.3",
    ("BUILD", "build-image-with-update-ssm-agent"): "1.0.0",
    ("BUILD", "build-container"): "1.0.1",
    ("BUILD", "express-build-image"): "1.0.0",
    ("BUILD", "express-build-container"): "1.0.0",
    ("TEST", "test-image"): "1.0.3",
    ("TEST", "test-container"): "1.0.1",
    ("TEST", "express-test-image"): "1.0.0",
    ("DISTRIBUTION", "distribute-image"): "1.0.0",
    ("DISTRIBUTION", "distribute-container"): "1.0.0",
}


def text(name: str) -> str:
    """Return the document of a workflow as YAML."""
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


@lru_cache(maxsize=len(VERSIONS))
def document(workflow_type: str, name: str) -> WorkflowDocument:
    """Return the document of a workflow, read."""
    return workflow.read(text(name), workflow_type)
