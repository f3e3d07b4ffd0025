"""
Images that were built outside of Airflow become asset events, and run the Dags on the asset.

The Airflow is one of its own: assets start no runs in the shared one, and here the triggerer is killed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from airflow_imagebuilder.assets import asset_extra, image_in
from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.image_builder import LocalService
from airflow_imagebuilder.service.results.image import ImageResult
from tests.integration.bakes import Run
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
DAGS = (
    REPOSITORY / "docs" / "how-to" / "dags" / "assets.py",
    HERE / "asset_dags" / "second_watcher.py",
    REPOSITORY / "dags" / "golden_image_pipeline.py",
    REPOSITORY / "dags" / "golden_container.py",
)
PIPELINES = ("golden_image_pipeline", "golden_container")
UBUNTU, WINDOWS = "golden-ubuntu-2404", "golden-windows-2022"
MALFORMED = '{"source": "aws.imagebuilder", "detail-type": "EC2 Image Builder Image State Change"}'


class Scene(NamedTuple):
    """A queue that gets the events of all images, and an Airflow that watches it."""

    service: LocalService
    airflow: AirflowStack
    queue_url: str
    images: dict[str, str]
    """What was built while Airflow was not there yet: the ARNs by what they are."""
    runs: dict[str, Run]
    """The first run of each Dag that runs a pipeline."""

    def extra(self, arn: str) -> dict[str, Any]:
        """Return what an event of the image has, from AWS's answer of now."""
        image = self.service.client("imagebuilder").get_image(imageBuildVersionArn=arn)["image"]
        return asset_extra(ImageResult.from_api(image))

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the asset events of an image's name."""
        found = self.airflow.api.call("GET", "assets/events", params={"limit": 100})["asset_events"]
        return [event for event in found if event["name"] == name]

    def wait_for_event(self, name: str, arn: str, seconds: float = 40) -> dict[str, Any]:
        """Wait until an asset has an event of this image, and return its extra."""

        def found() -> dict[str, Any] | None:
            extras = [event["extra"] for event in self.events(name)]
            return next((extra for extra in extras if image_in(extra).get("image_arn") == arn), None)

        extra: dict[str, Any] = self.airflow.api.wait(found, seconds, lambda: self.reported(name))
        return extra

    def reported(self, name: str) -> list[str]:
        """Return the ARNs that the asset events of an image's name report."""
        return [image_in(event["extra"])["image_arn"] for event in self.events(name)]

    def wait_for_messages(self, number: int) -> None:
        """Wait until the queue has so many messages, visible or in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = self.service.client("sqs")

        def found() -> dict[str, int]:
            answer = sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
            return {name: int(answer[name]) for name in names}

        self.airflow.api.wait(lambda: found() if sum(found().values()) == number else None, 40, found)

    def wait_for_fault(self) -> None:
        """Wait until the service has hit a call with the fault that the test has installed."""

        def hit() -> dict[str, Any] | None:
            return next((fault for fault in self.service.records()["faults"] if fault["fired"]), None)

        self.airflow.api.wait(hit, 40, self.service.records)

    def wait_for_run(self, dag_id: str) -> Any:
        """Wait until a run of a Dag has succeeded, and return what its task has returned."""

        def found() -> dict[str, Any] | None:
            runs = self.airflow.api.call("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]
            return next((run for run in runs if run["state"] == "success"), None)

        run = self.airflow.api.wait(found, 60, lambda: f"no run of {dag_id}")
        run_id = run["dag_run_id"]
        (task,) = self.airflow.api.tasks(dag_id, run_id)
        return self.airflow.api.xcom(dag_id, run_id, task["task_id"])


def build(service: LocalService, name: str, **members: Any) -> str:
    """Build an image as anybody does without Airflow, and return its ARN."""
    arn: str = service.client("imagebuilder").create_image(
        imageRecipeArn=f"{PREFIX}:image-recipe/{name}/1.0.0",
        infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
        **members,
    )["imageBuildVersionArn"]
    return arn


def queue_of(service: LocalService) -> str:
    """Make the queue, with a message that cannot be read at its head, and the rule; return the URL."""
    sqs, events = service.client("sqs"), service.client("events")
    url: str = sqs.create_queue(QueueName="golden-images", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.imagebuilder"],
        "detail-type": ["EC2 Image Builder Image State Change"],
        "resources": [{"prefix": f"{PREFIX}:image/{name}/"} for name in (UBUNTU, WINDOWS)],
    }
    events.put_rule(Name="golden-images", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="golden-images", Targets=[{"Id": "queue", "Arn": arn}])
    sqs.send_message(QueueUrl=url, MessageBody=MALFORMED)
    return url


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("dags")
    for path in DAGS:
        shutil.copy(path, folder)
    with LocalService(home=tmp_path_factory.mktemp("imagebuilder")) as service:
        url = queue_of(service)
        images = {
            "by a task": build(service, UBUNTU, tags={"baked-by": "airflow"}),
            UBUNTU: build(service, UBUNTU),
            WINDOWS: build(service, WINDOWS),
        }
        env = {
            **service.env,
            "GOLDEN_IMAGES_QUEUE_URL": url,
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
            # Airflow starts the watchers of an unpaused Dag when it parses the file again.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
        }
        with AirflowStack(tmp_path_factory.mktemp("airflow"), folder, env) as stack:
            for dag_id in ("golden_image_roll_out", "second_watcher", "roll_out_golden_web", *PIPELINES):
                stack.api.wait_for_dag(dag_id)
                stack.api.unpause(dag_id)
            runs = {dag_id: Run.start(stack.api, dag_id) for dag_id in PIPELINES}
            yield Scene(service, stack, url, images, runs)


def test_images_built_outside_of_airflow_run_the_dags_on_their_assets(scene: Scene) -> None:
    ubuntu, windows = scene.images[UBUNTU], scene.images[WINDOWS]
    assert scene.wait_for_event(UBUNTU, ubuntu) == {"from_trigger": True, "payload": scene.extra(ubuntu)}
    assert scene.wait_for_event(WINDOWS, windows) == {"from_trigger": True, "payload": scene.extra(windows)}
    assert scene.wait_for_run("golden_image_roll_out") == [scene.extra(ubuntu)]
    assert scene.wait_for_run("second_watcher") == [scene.extra(windows)]
    assert set(scene.extra(ubuntu)["amis"]) == {"us-east-1"}
    scene.wait_for_messages(1)  # the one that cannot be read; the triggerer has deleted the others
    # Not that of a task, whose tag the watcher skips.
    assert (scene.reported(UBUNTU), scene.reported(WINDOWS)) == ([ubuntu], [windows])


def test_a_message_in_flight_when_the_triggerer_is_killed_is_not_lost(scene: Scene) -> None:
    scene.service.control(faults=[{"operation": "GetImage", "kind": "hang", "times": 1}])
    image = build(scene.service, WINDOWS)
    scene.wait_for_fault()  # the triggerer has the message, and no image yet
    scene.airflow.kill("triggerer")
    assert image not in scene.reported(WINDOWS)
    scene.airflow.launch("triggerer")
    extra = scene.wait_for_event(WINDOWS, image, seconds=60)
    assert image_in(extra) == scene.extra(image)
    scene.wait_for_messages(1)
    assert scene.reported(WINDOWS).count(image) == 1


# -- the Dags that run a pipeline --------------------------------------------------------------------------


def test_a_pipeline_that_is_needed_is_run_gated_and_rolled_out(scene: Scene) -> None:
    run = scene.runs["golden_image_pipeline"]
    assert run.wait(240) == "success", run.states()
    assert set(run.states().values()) == {"success"}
    image = run.xcom("golden_web.image")
    assert {ami["region"] for ami in image["golden_amis"]} == {"us-east-1", "eu-west-1"}
    (event,) = scene.events("golden-web")
    assert event["extra"] == scene.extra(image["arn"])
    assert scene.wait_for_run("roll_out_golden_web") == {"us-east-1": 1, "eu-west-1": 1}
    for ami in image["golden_amis"]:
        ec2 = scene.service.client("ec2", ami["region"])
        versions = ec2.describe_launch_template_versions(LaunchTemplateName="golden-web")
        (version,) = versions["LaunchTemplateVersions"]
        assert version["LaunchTemplateData"]["ImageId"] == ami["image"]


def test_a_container_pipeline_is_run_scanned_and_verified_in_ecr(scene: Scene) -> None:
    run = scene.runs["golden_container"]
    assert run.wait(240) == "success", run.states()
    assert set(run.states().values()) == {"success"}
    assert run.xcom("verify_outputs")["difference_count"] == 0
    (event,) = scene.events("golden-web-container")
    assert event["extra"] == scene.extra(run.xcom("bake")["arn"])


def test_a_pipeline_that_is_not_needed_is_not_run_unless_it_is_forced(scene: Scene) -> None:
    for run in scene.runs.values():
        run.wait(240)
    again = Run.start(scene.airflow.api, "golden_image_pipeline")
    forced = Run.start(scene.airflow.api, "golden_container", {"force": True})
    assert again.wait(120) == "success", again.states()
    states = again.states()
    assert states.pop("needs_build") == "success"
    assert set(states.values()) == {"skipped"}
    assert again.xcom("needs_build")["needed"] is False
    assert len(scene.events("golden-web")) == 1
    assert forced.wait(240) == "success", forced.states()
    assert forced.xcom("bake")["arn"] != scene.runs["golden_container"].xcom("bake")["arn"]
