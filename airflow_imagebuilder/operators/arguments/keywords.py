"""The types of the arguments that operators pass on, for type checkers and editors.

A test compares the names with the parameters of Airflow's classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, MutableMapping, Sequence
    from datetime import datetime, timedelta
    from typing import Literal

    from airflow.sdk import DAG, TaskGroup, XComArg
    from typing_extensions import Required

    from airflow_imagebuilder.compat import RetryPolicy, TriggerRule
    from airflow_imagebuilder.service.submission.decision import OnRetry

    Callbacks = Callable[..., Any] | Collection[Callable[..., Any]] | None
    ListedCallbacks = Callable[..., Any] | list[Callable[..., Any]] | None
    # Plain text would hide a misspelt word. A template of it is rare: cast(OnRetry, "{{ params.on_retry }}").
    OnRetryChoice = OnRetry | Literal["repair", "rebuild", "fail"] | XComArg


class CommonArguments(TypedDict, total=False):
    """Arguments of Airflow's ``BaseOperator`` (3.3) that several tasks can share."""

    owner: str
    email: str | Sequence[str] | None
    email_on_retry: bool
    email_on_failure: bool
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    max_retry_delay: timedelta | float | None
    start_date: datetime | None
    end_date: datetime | None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    params: MutableMapping[str, Any] | None
    priority_weight: int
    weight_rule: Any
    queue: str
    pool: str | None
    pool_slots: int
    sla: timedelta | None
    execution_timeout: timedelta | None
    on_execute_callback: Callbacks
    on_failure_callback: ListedCallbacks
    on_success_callback: Callbacks
    on_retry_callback: ListedCallbacks
    on_skipped_callback: Callbacks
    pre_execute: Callable[..., Any] | None
    post_execute: Callable[..., Any] | None
    resources: dict[str, Any] | None
    run_as_user: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any] | None
    inlets: Any
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    logger_name: str | None
    allow_nested_operators: bool
    render_template_as_native_obj: bool | None


class GuardArguments(CommonArguments, total=False):
    """What ``guard_args`` of the task group may have, for the submitting task and ``image``."""

    deferrable: bool
    retry_policy: RetryPolicy | None


class OneTaskArguments(CommonArguments, total=False):
    """Arguments of Airflow's ``BaseOperator`` (3.3) but its retry policy, which some operators replace."""

    task_id: Required[str]
    dag: DAG | None
    default_args: dict[str, Any] | None
    do_xcom_push: bool
    map_index_template: str | None
    multiple_outputs: bool
    outlets: Any
    task_display_name: str | None
    task_group: TaskGroup | None
    trigger_rule: TriggerRule | str


class TaskArguments(OneTaskArguments, total=False):
    """All arguments of Airflow's ``BaseOperator`` (3.3)."""

    retry_policy: RetryPolicy | None


class _Connection(TypedDict, total=False):
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None


class AwsArguments(TaskArguments, _Connection, total=False):
    """What every operator of this package takes."""


class OneAwsArguments(OneTaskArguments, _Connection, total=False):
    """The same without a retry policy."""


class WaitingArguments(OneAwsArguments, total=False):
    """What every operator that waits for an image takes."""

    deferrable: bool
    timeout: timedelta
    poll_interval: float | timedelta | None
    cancel_on_kill: bool
    delete_outputs_on_kill: bool
    fail_on_test_failure: bool
    retry_policy: RetryPolicy | None


class SubmittingArguments(WaitingArguments, total=False):
    """What every operator that submits an image takes."""

    wait_for_completion: bool
    on_retry: OnRetryChoice


class ShortCircuitArguments(AwsArguments, total=False):
    """What every operator that may skip what follows takes."""

    ignore_downstream_trigger_rules: bool


class SensorArguments(AwsArguments, total=False):
    """What the sensor takes: Airflow's ``BaseSensorOperator`` (3.3) has these."""

    poke_interval: timedelta | float
    timeout: timedelta | float
    soft_fail: bool
    mode: Literal["poke", "reschedule"]
    exponential_backoff: bool
    max_wait: timedelta | float | None
    silent_fail: bool
    never_fail: bool
