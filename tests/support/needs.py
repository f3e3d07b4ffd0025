"""What a gate finds on AWS: a recipe, its last image, and what both were made of."""

from __future__ import annotations

from typing import Any

from airflow_imagebuilder.service.gates.needs.question import CHECKS, Question
from tests.support.arns import IMAGE, PREFIX, RECIPE, image_arn, workflow_arn
from tests.support.image_builder import FakeImageBuilder

PIPELINE = f"{PREFIX}:image-pipeline/golden"
DISTRIBUTION = f"{PREFIX}:distribution-configuration/golden"
INFRASTRUCTURE = f"{PREFIX}:infrastructure-configuration/build"
AWS = "arn:aws:imagebuilder:us-east-1:aws"
PARENT = f"{AWS}:image/amazon-linux-2023-x86/x.x.x"
BUILT_FROM = f"{AWS}:image/amazon-linux-2023-x86/2026.9.30/1"
NEWER_PARENT = f"{AWS}:image/amazon-linux-2023-x86/2026.10.14/1"
BASE = f"{PREFIX}:component/base"
CREATED = "2026-10-01T10:00:00.000Z"


def component(version: str, name: str = "base", owner: str = "123456789012") -> str:
    return f"arn:aws:imagebuilder:us-east-1:{owner}:component/{name}/{version}"


def summary(arn: str = IMAGE, status: str = "AVAILABLE", created: str = CREATED) -> dict[str, Any]:
    """Return an image as the lists show it."""
    return {"arn": arn, "name": "golden", "state": {"status": status}, "dateCreated": created}


class Scene:
    """
    An account in which nothing has changed since the last image.

    :param parent: the recipe's ``parentImage``.
    :param built_from: the parent that the last image records.
    :param components: the recipe's components, each with the one that the last image records.
    """

    def __init__(
        self,
        parent: str = PARENT,
        built_from: str = BUILT_FROM,
        components: dict[str, str] | None = None,
    ) -> None:
        self.aws = FakeImageBuilder()
        given = {component("1.x.x"): component("1.0.9/1")} if components is None else components
        self.recipe: dict[str, Any] = {
            "arn": RECIPE,
            "name": "golden",
            "version": "1.0.0",
            "parentImage": parent,
            "components": [{"componentArn": arn} for arn in given],
        }
        self.image: dict[str, Any] = {
            **summary(),
            "imageRecipe": {
                **self.recipe,
                "parentImage": built_from,
                "components": [{"componentArn": arn} for arn in given.values()],
            },
            "distributionConfiguration": {"arn": DISTRIBUTION},
            "infrastructureConfiguration": {"arn": INFRASTRUCTURE},
            "workflows": [{"workflowArn": workflow_arn("boot")}],
        }
        self.pipeline: dict[str, Any] = {
            "arn": PIPELINE,
            "imageRecipeArn": RECIPE,
            "distributionConfigurationArn": DISTRIBUTION,
            "infrastructureConfigurationArn": INFRASTRUCTURE,
            "workflows": [{"workflowArn": workflow_arn("boot")}],
        }
        self.aws.resources = {
            RECIPE: self.recipe,
            PIPELINE: self.pipeline,
            DISTRIBUTION: {"arn": DISTRIBUTION, "dateCreated": "2026-01-01T00:00:00Z"},
            INFRASTRUCTURE: {"arn": INFRASTRUCTURE, "dateCreated": "2026-01-01T00:00:00Z"},
            component("1.x.x"): {"arn": component("1.0.9/1")},
        }
        self.aws.images = {IMAGE: self.image, PARENT: managed(BUILT_FROM)}
        self.aws.listed = [summary()]

    def ask(self, **question: Any) -> Any:
        """Return the answer to a question about the recipe, or about the pipeline if that is named."""
        target = {} if "pipeline_arn" in question else {"recipe_arn": RECIPE}
        return Question(**{**target, "checks": CHECKS, **question}).ask(self.aws)

    def verdicts(self, **question: Any) -> dict[str, str]:
        """Return the verdict of each check."""
        return {name: one["verdict"] for name, one in self.ask(**question).to_xcom()["checked"].items()}


def managed(arn: str) -> dict[str, Any]:
    """Return GetImage's answer for an image of Amazon's."""
    return {"arn": arn, "state": {"status": "AVAILABLE"}}


def another(number: int, status: str, created: str) -> dict[str, Any]:
    """Return another build as the lists show it."""
    return summary(image_arn(number), status, created)
