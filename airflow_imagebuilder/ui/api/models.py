"""The answers of the API. ``frontend/src/api.ts`` says the same in TypeScript."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

Item = TypeVar("Item")

Outcome = Literal["pending", "running", "passed", "failed", "skipped", "cancelled"]
WorkflowType = Literal["BUILD", "TEST", "DISTRIBUTION"]
StageName = Literal["build", "test", "distribution", "integration"]

Time = Annotated[str, Field(description="ISO 8601, UTC", examples=["2026-11-02T06:00:00.000Z"])]
Seconds = Annotated[float, Field(description="seconds")]


class TaskRef(BaseModel):
    """A task instance of Airflow."""

    task_id: str
    map_index: int = Field(description="-1 where the task is not mapped")
    state: str | None = Field(description="Airflow's state of the task instance")
    try_number: int


class Step(BaseModel):
    """A step of a workflow, as AWS has it."""

    name: str
    action: str | None
    status: str
    start: Time | None
    end: Time | None
    message: str | None


class Workflow(BaseModel):
    """One execution of a workflow, or a workflow that has not begun."""

    execution_id: str | None = Field(description="null while the workflow has not begun")
    name: str
    type: WorkflowType
    parallel_group: str | None = Field(description="the test group")
    status: str | None = Field(description="AWS's status of the execution")
    outcome: Outcome
    start: Time | None
    end: Time | None
    attempt: int = Field(description="from 1: each repair of an image runs its failed workflows again")
    attempts: int
    steps_total: int
    steps_succeeded: int
    steps_failed: int
    steps_skipped: int
    message: str | None
    steps: list[Step] | None = Field(description="null where no task has recorded the steps")
    task: TaskRef | None = Field(description="the monitor of this workflow in a task group")


class Stage(BaseModel):
    """A stage of the image's life."""

    name: StageName
    start: Time
    end: Time | None = Field(description="null while the stage lasts")
    outcome: Outcome


class Ami(BaseModel):
    """A golden AMI."""

    region: str
    account_id: str | None
    image: str | None = Field(description="the AMI id")
    name: str | None


class Container(BaseModel):
    """A container image."""

    region: str
    image_uris: list[str]


class Failure(BaseModel):
    """Why an image failed."""

    stage: str | None
    workflow: str | None
    step: str | None
    component: str | None
    message: str | None
    advice: str | None = Field(description="what to do next; several lines")
    text: str = Field(description="the whole report, as the log of the task has it")


class Estimate(BaseModel):
    """How long an image takes, from earlier images of the same recipe. All times in seconds."""

    based_on: int = Field(description="how many earlier images it is made from, at most 10")
    median: Seconds
    fastest: Seconds
    slowest: Seconds
    elapsed: Seconds = Field(description="seconds since the image began; its duration, if it has ended")
    remaining: Seconds | None = Field(
        description="the median of what is left, from those images that took longer than elapsed; "
        "null if none did, or if the image has ended"
    )
    remaining_low: Seconds | None
    remaining_high: Seconds | None
    slower_than_all: bool


class BuildMinutes(BaseModel):
    """How long instances ran for an image."""

    total: float = Field(description="minutes: the sum of the workflows that build and test")
    instance_types: list[str]
    cost_low: float | None = Field(
        description="null where [imagebuilder] instance_prices does not have all instance types"
    )
    cost_high: float | None
    currency: str | None


class Scan(BaseModel):
    """AWS's scan of an image for vulnerabilities."""

    status: str | None = Field(description="AWS's scanState")
    counts: dict[str, int] | None = Field(
        description="findings by severity, from a scan gate; null if no task has counted them"
    )


class ImageRow(BaseModel):
    """An image without its workflows."""

    arn: str
    name: str
    version: str
    type: Literal["AMI", "DOCKER"]
    platform: str | None
    status: str = Field(description="AWS's status of the image")
    ended: bool = Field(description="whether the image has stopped changing")
    stale: bool = Field(
        description="the task has ended without having seen the end of the image: status is what it saw last"
    )
    created_at: Time | None
    ended_at: Time | None
    duration: Seconds | None
    tests_passed: int
    tests_failed: int
    tests_total: int
    scan: Scan | None
    amis: list[Ami]
    containers: list[Container]
    submitted: bool = Field(description="whether the run submitted the image; else it only waited for it")
    dag_id: str
    run_id: str
    task: TaskRef


class Build(ImageRow):
    """One image of a run."""

    recipe: str | None = Field(description="name and version of the recipe", examples=["golden/1.0.0"])
    pipeline_arn: str | None
    reason: str | None = Field(description="AWS's reason of the status")
    observed_at: Time = Field(
        description="AWS's clock: when AWS was asked, and for an image in progress the time since then"
    )
    stages: list[Stage]
    workflows: list[Workflow]
    failure: Failure | None
    estimate: Estimate | None = Field(description="null where there are no earlier images of the recipe")
    build_minutes: BuildMinutes | None
    console_url: str = Field(description="the images of the region in the AWS console")
    log_url: str = Field(description="the log of the build in CloudWatch Logs")
    truncated: list[str] = Field(description="members of which something was left out")


class Run(BaseModel):
    """A Dag run and its images; no images, if its tasks have recorded none."""

    dag_id: str
    run_id: str
    state: str | None = Field(description="Airflow's state of the run")
    start: Time | None
    end: Time | None
    now: Time = Field(description="the time of the server")
    images: list[Build]


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    total: int = Field(description="how many there are in all")
    limit: int
    offset: int
    items: list[Item]


class NameRow(BaseModel):
    """A golden image: all images of one name."""

    name: str
    versions: int = Field(description="how many images have this name")
    latest: ImageRow = Field(description="the newest image, whatever its status")


class TrendPoint(BaseModel):
    """One image of a name; the points are in the order of their creation."""

    version: str
    created_at: Time
    duration: Seconds | None
    status: str
    critical: int | None = Field(description="findings; null if no scan gate has counted them")
    high: int | None
    findings: int | None = Field(description="findings of all severities")
    dag_id: str
    run_id: str


class Problem(BaseModel):
    """What an answer other than 200 says."""

    detail: str
