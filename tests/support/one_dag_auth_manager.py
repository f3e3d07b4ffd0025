"""An auth manager in which a viewer may read one Dag: Airflow's simple one has no rights per Dag."""

from __future__ import annotations

import os
from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

READABLE = "TESTS_READABLE_DAG"
"""Environment variable with the id of the Dag that viewers may read."""


class OneDagAuthManager(SimpleAuthManager):
    """Viewers read one Dag; what a role may do besides is as in the simple auth manager."""

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        """Return whether the user may; a question without a Dag means any Dag, as in other auth managers."""
        allowed = super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
        restricted = str(user.role).upper() == "VIEWER"
        named = details is not None and details.id is not None
        return bool(allowed) and (not restricted or not named or details.id == os.environ[READABLE])
