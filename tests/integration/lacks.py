"""What the installed Airflow and botocore lack, probed: conditions of tests that cannot hold without it."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

from airflow_imagebuilder.compat import HAS_RETRY_POLICY
from tests.support.arns import PREFIX


def counts_deferred_tasks() -> bool:
    """Whether ``max_active_tis_per_dagrun`` counts deferred tasks too."""
    from airflow.ti_deps import dependencies_states

    return hasattr(dependencies_states, "ACTIVE_STATES")


def names_deferred_tasks() -> bool:
    """Whether a task has its name in the grid before it ends on a worker: a monitor never does."""
    from airflow.sdk.execution_time import comms

    return hasattr(comms, "SetRenderedMapIndex")


@cache
def _model() -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model("imagebuilder")


def has_failure_context() -> bool:
    """Whether botocore passes on ``failureContext``, which alone has the message of a failed component."""
    return "failureContext" in _model().shape_for("ImageState").members


def takes_wildcards_in_recipes() -> bool:
    """Whether AWS's model allows ``x`` in the version of a recipe; the local service checks by the model."""
    recipe = _model().operation_model("CreateImage").input_shape.members["imageRecipeArn"]
    return bool(re.match(recipe.metadata["pattern"], f"{PREFIX}:image-recipe/golden-al2023/x.x.x"))


def refusal(log: str, reasons: list[str]) -> str:
    """Return the reason for which Airflow does not try a task again, from its log."""
    if HAS_RETRY_POLICY:
        (reason,) = reasons
        return reason
    (found,) = re.findall(r"Airflow does not try this task again: (.+)\.$", log, re.MULTILINE)
    return str(found)


def has_deadlines() -> bool:
    """Whether a Dag can have a deadline."""
    return find_spec("airflow.sdk.definitions.deadline") is not None


deadlines = pytest.mark.skipif(not has_deadlines(), reason="this Airflow has no deadlines")
counted = pytest.mark.skipif(
    not counts_deferred_tasks(), reason="this Airflow does not count deferred tasks: all are drawn at once"
)
uncounted = pytest.mark.skipif(counts_deferred_tasks(), reason="this Airflow counts deferred tasks")
named = pytest.mark.skipif(
    not names_deferred_tasks(), reason="this Airflow does not render map_index_template of deferred tasks"
)
unnamed = pytest.mark.skipif(
    names_deferred_tasks(), reason="this Airflow renders map_index_template of deferred tasks"
)
