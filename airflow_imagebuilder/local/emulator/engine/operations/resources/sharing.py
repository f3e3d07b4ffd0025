"""Sharing: resources of other accounts, which the policies of their owners share.

Sources: API reference, PutComponentPolicy and its relatives; User Guide, "Share resources"; IAM User Guide,
"Policy evaluation logic" for the order of Allow and Deny.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.emulator.engine.state import State

#: The nouns of the resources that a policy can share, by their type in an ARN.
NOUNS = {
    "component": "Component",
    "container-recipe": "ContainerRecipe",
    "image": "Image",
    "image-recipe": "ImageRecipe",
}


class Sharing:
    """What one account may see of others.

    :param state: the state of the account.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def is_foreign(self, arn: str) -> bool:
        """Whether an ARN belongs to another account; what Amazon owns belongs to every account."""
        owner = identifiers.owner_of(arn)
        return owner.isdigit() and owner != self._state.account

    def holder(self, arn: str) -> State:
        """Return the state that would hold an ARN; the own one for an account without resources."""
        owner = identifiers.owner_of(arn)
        return self._state.accounts.get(owner, self._state)

    def others(self) -> Iterator[State]:
        """Yield the states of all other accounts."""
        yield from (state for state in list(self._state.accounts.values()) if state is not self._state)

    def allows(self, arn: str, verb: str) -> bool:
        """Whether an ARN is own, or shared with this account.

        :param verb: ``Get`` or ``List``.
        """
        if not self.is_foreign(arn):
            return True
        policy = self.holder(arn).policies.get(arn)
        return policy is not None and allows(policy, self._state.account, _action(arn, verb), arn)

    def refusal(self, arn: str) -> ApiError:
        """Make the error for an ARN of another account that is not shared."""
        return ApiError(
            guesses.NOT_SHARED,
            f"User: arn:aws:iam::{self._state.account}:root is not authorized to perform: "
            f"{_action(arn, 'Get')} on resource: {arn} because no resource-based policy allows the "
            f"{_action(arn, 'Get')} action",
            403,
        )


def _action(arn: str, verb: str) -> str:
    """Return the action of IAM that reads a resource, or lists resources of its type."""
    segment = identifiers.parse(arn).resource_type.split("/")[0]
    noun = NOUNS.get(segment) or "".join(word.capitalize() for word in segment.split("-"))
    return f"imagebuilder:{verb}{noun}{'s' if verb == 'List' else ''}"


def allows(policy: str, account: str, action: str, arn: str) -> bool:
    """Whether the policy of a resource lets an account carry out an action.

    A condition cannot be checked here: a statement with one allows nothing, and denies.
    """
    statements = _listed(json.loads(policy).get("Statement"))
    fitting = [
        statement
        for statement in statements
        if _names(statement.get("Principal"), account)
        and any(fnmatchcase(action.lower(), each.lower()) for each in _listed(statement.get("Action")))
        and any(fnmatchcase(arn, each) for each in _listed(statement.get("Resource")))
    ]
    if any(statement["Effect"] == "Deny" for statement in fitting):
        return False
    return any(statement["Effect"] == "Allow" and not statement.get("Condition") for statement in fitting)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names(principal: Any, account: str) -> bool:
    """Whether a principal means an account, or a role or user in it."""
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    texts = [each for each in _listed(named) if isinstance(each, str)]
    return any(each in ("*", account) or f"::{account}:" in each for each in texts)
