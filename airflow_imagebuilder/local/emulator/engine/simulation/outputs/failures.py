"""Failures of a distribution, as the reason and the ``failureContext`` of an image show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
    from airflow_imagebuilder.local.emulator.engine.state import Doc


def error_message(failure: Failure) -> str:
    """Return why a region failed."""
    what = failure.configuration_step or "copy of the AMI"
    return failure.message or f"Distribution to {failure.region} failed on demand of the scenario ({what})"


def _job(failure: Failure, account: str) -> str:
    """Return what failed and where, as the reason of a failed image has it (seen in public)."""
    return (
        f"{error_message(failure)} when distributing the image from the source account (ID: {account}) "
        f"to the destination account (ID: {failure.account or account}) in Region {failure.region}."
    )


def failure_of(failures: list[Failure], account: str) -> Doc | None:
    """Return ``DistributionFailureContext`` of the service model; None without a failure.

    :param account: the account of the image.
    """
    if not failures:
        return None
    regions = []
    for failure in failures:
        entry = {"region": failure.region, "status": failure.status, "errorMessage": error_message(failure)}
        entry["targetAccountId"] = failure.account or account
        if failure.configuration_step:
            entry["imageConfigurationStep"] = failure.configuration_step
        regions.append(entry)
    jobs = " ".join(f"{number}) {_job(failure, account)}" for number, failure in enumerate(failures, 1))
    message = f"Not all distribution jobs are completed. {jobs}"
    return {"errorMessage": message, "regionFailures": regions}
