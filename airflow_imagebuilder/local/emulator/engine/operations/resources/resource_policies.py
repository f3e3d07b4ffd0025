"""ResourcePolicies: the operations on the policies that share a resource with other accounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.state import Doc, State

#: The member of a request that holds the ARN, by the noun of the operation.
MEMBERS = {
    "Component": "componentArn",
    "ContainerRecipe": "containerRecipeArn",
    "Image": "imageArn",
    "ImageRecipe": "imageRecipeArn",
}


class ResourcePolicies:
    """The policies of components, recipes and images.

    :param state: stores them.
    :param exists: finds a resource or an image by its ARN, or raises.
    """

    def __init__(self, state: State, exists: Callable[[str, str], object]) -> None:
        self._state = state
        self._exists = exists

    def put(self, member: str, params: Doc, region: str) -> Doc:
        """Put<noun>Policy."""
        arn = params[member]
        self._exists(arn, region)
        if why := _fault(params["policy"]):
            raise ApiError("InvalidParameterValueException", f"The policy is not valid: {why}")
        self._state.policies[arn] = params["policy"]
        return {member: arn}

    def get(self, member: str, params: Doc, region: str) -> Doc:
        """Get<noun>Policy."""
        arn = params[member]
        self._exists(arn, region)
        if arn not in self._state.policies:
            raise ApiError("ResourceNotFoundException", f"The resource '{arn}' has no policy.", 404)
        return {"policy": self._state.policies[arn]}


def _fault(text: str) -> str | None:
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON"
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        return "it has no Statement"
    for statement in statements:
        if not isinstance(statement, dict):
            return "a Statement is an object"
        if missing := [key for key in ("Effect", "Principal", "Action", "Resource") if key not in statement]:
            return f"a Statement needs {missing[0]}"
        if not all(_is_text(statement[key]) for key in ("Action", "Resource")):
            return "Action and Resource are strings, or lists of strings"
    return None


def _is_text(value: object) -> bool:
    return all(isinstance(each, str) for each in (value if isinstance(value, list) else [value]))
