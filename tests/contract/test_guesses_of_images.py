"""The guesses that need images: of those that start no instance, and of the one that is built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.account import refusal

if TYPE_CHECKING:
    from tests.contract.account import Account
    from tests.contract.scenes import Built, Failed, Retried
    from tests.contract.verification import Observer

pytestmark = [pytest.mark.integration, pytest.mark.images]
WORDING = re.compile(r"Workflow Execution ID: wf-[0-9a-f-]{36} failed with reason: ", re.IGNORECASE)
PASSED = {"PENDING", "CREATING", "BUILDING", "TESTING", "AVAILABLE"}
"""The statuses that every image without a distribution configuration has passed when it is AVAILABLE."""


@pytest.mark.guess("WAITING_STEP")
def test_a_step_that_waits(failed: Failed, observe: Observer) -> None:
    observe(failed.waiting_step)


@pytest.mark.guess("EXECUTIONS_APPEAR_WITH_THEIR_STAGE")
def test_a_test_that_has_not_begun_is_listed(failed: Failed, observe: Observer) -> None:
    observe(failed.listed_before.get("c") == "PENDING")


@pytest.mark.guess("RETRY_REFUSED")
def test_retry_of_an_image_in_progress(failed: Failed, observe: Observer) -> None:
    if not failed.retry_in_progress:
        observe.not_tried("The installed boto3 has no RetryImage.")
    observe(failed.retry_in_progress)


@pytest.mark.guess("ABORTED_RUNNING")
def test_a_test_that_ran_when_another_failed(failed: Failed, observe: Observer) -> None:
    observe(failed.runs["b"]["status"])


@pytest.mark.guess("ABORTED_PENDING")
def test_a_test_that_had_not_begun_when_another_failed(failed: Failed, observe: Observer) -> None:
    observe(failed.runs.get("c", {}).get("status", "not listed"))


@pytest.mark.guess("FAILED_EXECUTION")
def test_a_test_whose_step_failed(failed: Failed, observe: Observer) -> None:
    observe(failed.runs["a"]["status"])


@pytest.mark.guess("STEPS_AFTER_FAILURE")
def test_the_step_after_a_failed_one(failed: Failed, observe: Observer) -> None:
    observe(failed.steps[1]["status"] if len(failed.steps) > 1 else "not listed")


@pytest.mark.guess("FAILURE_WORDING")
def test_the_reason_of_a_failure(failed: Failed, observe: Observer) -> None:
    observe(observe.here if WORDING.match(failed.reason) else failed.reason)


@pytest.mark.guess("STEP_NOT_WAITING")
def test_an_action_for_a_step_that_does_not_wait(failed: Failed, observe: Observer) -> None:
    observe(failed.second_stop)


@pytest.mark.guess("STATE_UPDATE_REFUSED")
def test_a_failed_image_cannot_be_deprecated(account: Account, failed: Failed, observe: Observer) -> None:
    update = account.client().start_resource_state_update
    observe(refusal(update, resourceArn=failed.arn, state={"status": "DEPRECATED"}))


@pytest.mark.guess("DELETE_USED_RECIPE")
def test_a_recipe_of_which_an_image_exists(account: Account, failed: Failed, observe: Observer) -> None:
    observe(refusal(account.client().delete_image_recipe, imageRecipeArn=failed.recipe))


@pytest.mark.guess("RETRY_REPEATS_PASSED_TESTS")
def test_a_retry_after_one_test_passed(retried: Retried, observe: Observer) -> None:
    observe(retried.passed_again)


@pytest.mark.guess("CANCEL_TWICE")
def test_a_second_cancellation(retried: Retried, observe: Observer) -> None:
    if not retried.cancelled_twice:
        observe.not_tried("The image was cancelled before the second call.")
    observe(retried.cancelled_twice)


@pytest.mark.guess("CANCELLED_RUNNING")
def test_a_test_that_ran_when_the_image_was_cancelled(retried: Retried, observe: Observer) -> None:
    observe(retried.running)


@pytest.mark.guess("CANCELLED_PENDING")
def test_a_test_that_had_not_begun_when_the_image_was_cancelled(retried: Retried, observe: Observer) -> None:
    observe(retried.pending)


@pytest.mark.guess("RETRY_AFTER_CANCEL")
def test_a_retry_after_a_cancellation(retried: Retried, observe: Observer) -> None:
    observe(retried.status_after_retry)


@pytest.mark.guess("BUILD_NUMBERS_REUSED")
def test_the_number_of_a_deleted_image(retried: Retried, observe: Observer) -> None:
    observe({"1": True, "2": False}.get(retried.next_build, retried.next_build))


@pytest.mark.guess("OUTPUTS_APPEAR_WITH_DISTRIBUTION")
def test_the_ami_of_an_image_that_is_tested(built: Built, observe: Observer) -> None:
    observe(not built.amis_while_testing)


@pytest.mark.guess("AMI_STAYS_AFTER_FAILURE")
def test_the_ami_of_an_image_that_failed_in_its_tests(
    account: Account, built: Built, observe: Observer
) -> None:
    account.need("RetryImage")
    observe(bool(built.amis_after_failure))


@pytest.mark.guess("EVENT_STATUSES")
def test_the_statuses_that_send_an_event(built: Built, observe: Observer) -> None:
    if not built.events:
        observe.not_tried("No event came.")
    observe((observe.here - PASSED) | (set(built.events) & PASSED))


@pytest.mark.guess("DISTRIBUTING_NEEDS_CONFIGURATION")
def test_an_ami_without_a_distribution_configuration(built: Built, observe: Observer) -> None:
    if not built.events:
        observe.not_tried("No event came.")
    observe("DISTRIBUTING" not in built.events)


@pytest.fixture(scope="module")
def copy(account: Account, built: Built) -> str:
    """Return the image of a distribution of the built one, into its own region."""
    account.need("DistributeImage")
    template = {"name": f"{account.stem} {{{{ imagebuilder:buildDate }}}}", "amiTags": account.tags}
    distributions = [{"region": account.region, "amiDistributionConfiguration": template}]
    configuration = account.create("distribution_configuration", "copy", distributions=distributions)
    arn: str = account.client().distribute_image(
        sourceImage=built.arn,
        distributionConfigurationArn=configuration,
        executionRole=account.execution_role,
        tags=account.tags,
    )["imageBuildVersionArn"]
    account.wait(arn, "AVAILABLE")
    return arn


@pytest.mark.guess("DISTRIBUTED_NAME")
def test_the_name_of_a_distributed_image(
    account: Account, built: Built, copy: str, observe: Observer
) -> None:
    observe(account.image(copy)["name"] == account.image(built.arn)["name"])


@pytest.mark.guess("DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION")
def test_a_distribution_without_a_workflow(account: Account, copy: str, observe: Observer) -> None:
    observe(any(run.get("type") == "DISTRIBUTION" for run in account.executions(copy)))


@pytest.mark.guess("LIFECYCLE_ENDED")
def test_the_end_of_an_update_that_has_ended(
    account: Account, copy: str, built: Built, observe: Observer
) -> None:
    client = account.client()
    answer: dict[str, Any] = client.start_resource_state_update(
        resourceArn=built.arn,
        state={"status": "DEPRECATED"},
        executionRole=account.execution_role,
        includeResources={"amis": True},
    )
    given = {"lifecycleExecutionId": answer["lifecycleExecutionId"]}
    for _ in account.polls("the end of the update"):
        execution = client.get_lifecycle_execution(**given)["lifecycleExecution"]
        if execution["state"]["status"] not in ("PENDING", "IN_PROGRESS"):
            break
    observe(refusal(client.cancel_lifecycle_execution, **given))
