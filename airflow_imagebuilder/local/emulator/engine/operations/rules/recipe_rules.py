"""Rules of recipes that the service model does not express.

Sources: API reference, CreateImageRecipe, CreateContainerRecipe; aws-ia/terraform-aws-ec2-image-builder#106
for the wording of wrong parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.documents import component as component_documents
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_combination, invalid_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.state import Doc
    from airflow_imagebuilder.local.emulator.engine.world import World

MAX_COMPONENTS = 20


def check(recipe: Doc, find: Callable[[str], Doc], os_version: str | None = None) -> None:
    """Check the components and the parent of a recipe.

    :param find: finds a component by its ARN, or raises.
    :param os_version: the operating system of the parent; None if Image Builder does not know it.
    :raises ApiError: AWS does not take the recipe; the error names the first fault.
    """
    parent = str(recipe["parentImage"])
    if parent.startswith("arn:") and ":ec2:" in parent:
        raise invalid_value("parentImage", f"'{parent}' is the ARN of an AMI; give its id.")
    items = recipe.get("components", ())
    if len(items) > MAX_COMPONENTS:
        raise invalid_value("components", f"A recipe has at most {MAX_COMPONENTS} components.")
    seen: set[str] = set()
    for index, item in enumerate(items):
        found = find(item["componentArn"])
        if found["arn"] in seen:
            raise invalid_value(f"components[{index}]", f"'{item['componentArn']}' is given more than once.")
        seen.add(found["arn"])
        if found.get("state", {}).get("status") in ("DEPRECATED", "DISABLED"):
            raise invalid_value(f"components[{index}]", f"'{found['arn']}' is {found['state']['status']}.")
        if os_version and not _supports(found.get("supportedOsVersions"), os_version):
            refusal = f"'{found['arn']}' does not support {os_version}."
            raise invalid_value(f"components[{index}]", refusal)
        given = item.get("parameters", [])
        if why := component_documents.refused(found.get("parameters", []), given):
            where = f"components[{index}].parameters"
            raise invalid_combination(f"The value supplied for parameter '{where}' is not valid. {why}")


def _supports(systems: list[str] | None, os_version: str) -> bool:
    """Whether a component supports an operating system, whose name may be longer."""
    # The CDK writes SLES for what an image is said to call SUSE.
    names = [os_version, os_version.replace("SUSE", "SLES")]
    return not systems or any(name.startswith(system) for system in systems for name in names)


def check_repository(recipe: Doc, region: str, account: str, world: World) -> None:
    """Check that ECR has the repository of a container recipe (AWS's skill for Image Builder).

    :raises ApiError: it has none of this name.
    """
    name = recipe.get("targetRepository", {}).get("repositoryName")
    if name and not world.has(region, "repository", name):
        why = f"The repository with name '{name}' does not exist in the registry with id '{account}'."
        raise ApiError("ResourceNotFoundException", why, 404)
