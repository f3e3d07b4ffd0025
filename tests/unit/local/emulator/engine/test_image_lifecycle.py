from __future__ import annotations

import json
from itertools import pairwise

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Behaviour
from tests.support.bench import FUNCTIONAL, HEAD, Bench, image_request, workflow

ALL = ["PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE"]


def test_a_bake_goes_through_every_status_and_ends_available(bench: Bench) -> None:
    arn = bench.bake()
    assert bench.finish(arn) == "AVAILABLE"
    assert bench.statuses(arn) == ALL


def test_every_status_change_from_building_on_sends_an_event(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    events = [e.data for e in bench.world.of("event")]
    assert [e["detail"]["state"]["status"] for e in events] == ALL[2:]
    assert [e["detail"]["previous-state"]["status"] for e in events] == ALL[1:-1]
    assert {e["type"] for e in events} == {"EC2 Image Builder Image State Change"}
    assert all(e["resources"] == [arn] for e in events)


def test_an_event_has_the_moment_at_which_it_was_due_however_late_the_service_is_called(bench: Bench) -> None:
    began = bench.engine.clock.now()
    arn = bench.bake()
    bench.engine.clock.advance(100_000)
    assert bench.status(arn) == "AVAILABLE"
    assert bench.world.of("event")[0].at == pytest.approx(began + 4.5)
    assert bench.world.of("event")[-1].at < began + 3000


def test_an_image_without_parameters_to_put_does_not_integrate(bench: Bench) -> None:
    answer = bench.call(
        "CreateDistributionConfiguration",
        name="plain",
        distributions=[{"region": "eu-west-1", "amiDistributionConfiguration": {}}],
    )
    arn = bench.bake(distributionConfigurationArn=answer["distributionConfigurationArn"])
    bench.finish(arn)
    assert bench.statuses(arn) == [s for s in ALL if s != "INTEGRATING"]
    assert [ami["region"] for ami in bench.image(arn)["outputResources"]["amis"]] == ["eu-west-1"]


def test_an_image_without_a_distribution_configuration_stays_in_its_region(bench: Bench) -> None:
    arn = bench.bake(distributionConfigurationArn=None)
    bench.finish(arn)
    assert bench.statuses(arn) == ["PENDING", "CREATING", "BUILDING", "TESTING", "AVAILABLE"]
    assert [ami["region"] for ami in bench.image(arn)["outputResources"]["amis"]] == ["us-east-1"]


def test_tests_are_left_out_where_the_request_disables_them(bench: Bench) -> None:
    arn = bench.bake(imageTestsConfiguration={"imageTestsEnabled": False})
    bench.finish(arn)
    assert "TESTING" not in bench.statuses(arn)
    assert bench.outcome(arn) == {"golden-build": "COMPLETED"}


def test_the_default_workflows_run_where_none_are_given(bench: Bench) -> None:
    arn = bench.bake(workflows=None, executionRole=None)
    bench.finish(arn)
    assert bench.outcome(arn) == {"build-image": "COMPLETED", "test-image": "COMPLETED"}
    assert [run["totalStepCount"] for run in bench.executions(arn)] == [7, 4]


def test_linux_leaves_out_sysprep_and_the_counts_still_add_up(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    build = bench.executions(arn)[0]
    assert (build["totalStepsSucceeded"], build["totalStepsSkipped"], build["totalStepsFailed"]) == (6, 1, 0)
    skipped = [step["name"] for step in bench.steps(arn, "golden-build") if step["status"] == "SKIPPED"]
    assert skipped == ["RunSysPrepScript"]


def test_windows_runs_sysprep(bench: Bench) -> None:
    arn = bench.bake(imageRecipeArn=f"{HEAD}image-recipe/golden-windows-2022/1.0.0")
    bench.finish(arn)
    assert bench.image(arn)["platform"] == "Windows"
    statuses = {step["name"]: step["status"] for step in bench.steps(arn, "golden-build")}
    assert (statuses["RunSysPrepScript"], statuses["RunSanitizeScript"]) == ("COMPLETED", "SKIPPED")


def test_steps_follow_one_another_and_fill_the_time_of_their_workflow(bench: Bench) -> None:
    bench.behaviour.workflows["golden-build"] = 600.0
    arn = bench.bake()
    bench.finish(arn)
    steps = [step for step in bench.steps(arn, "golden-build") if step["status"] == "COMPLETED"]
    assert all(before["endTime"] == after["startTime"] for before, after in pairwise(steps))
    run = bench.executions(arn)[0]
    assert (steps[0]["startTime"], steps[-1]["endTime"]) == (run["startTime"], run["endTime"])


def test_outputs_of_the_step_that_makes_the_ami_name_the_ami_of_the_image(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    outputs = {
        step["name"]: json.loads(step.get("outputs", "{}")) for step in bench.steps(arn, "golden-build")
    }
    amis = {ami["region"]: ami["image"] for ami in bench.image(arn)["outputResources"]["amis"]}
    assert outputs["CreateOutputAMI"]["imageId"] == amis["us-east-1"]


def test_amis_are_made_in_every_region_of_the_distribution_and_have_the_image_as_a_tag(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    made = {e.region: e.data for e in bench.world.of("ami")}
    shown = {ami["region"]: ami["image"] for ami in bench.image(arn)["outputResources"]["amis"]}
    assert {region: data["id"] for region, data in made.items()} == shown
    assert set(shown) == {"us-east-1", "eu-west-1"}
    assert all(data["tags"]["Ec2ImageBuilderArn"] == arn for data in made.values())


def test_each_region_gets_its_parameter_with_its_own_ami(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    put = {e.region: (e.data["name"], e.data["value"]) for e in bench.world.of("parameter")}
    shown = {ami["region"]: ami["image"] for ami in bench.image(arn)["outputResources"]["amis"]}
    assert put == {region: ("/imagebuilder/golden/golden-al2023", ami) for region, ami in shown.items()}


def test_copies_go_to_target_accounts_too(bench: Bench) -> None:
    answer = bench.call(
        "CreateDistributionConfiguration",
        name="accounts",
        distributions=[
            {"region": "us-east-1", "amiDistributionConfiguration": {"targetAccountIds": ["111122223333"]}}
        ],
    )
    arn = bench.bake(distributionConfigurationArn=answer["distributionConfigurationArn"])
    bench.finish(arn)
    amis = bench.image(arn)["outputResources"]["amis"]
    assert sorted(ami["accountId"] for ami in amis) == ["111122223333", "123456789012"]
    assert len({ami["image"] for ami in amis}) == 2


def test_a_container_image_ends_with_uris_and_a_distribution_workflow(bench: Bench) -> None:
    arn = bench.bake(
        imageRecipeArn=None,
        containerRecipeArn=f"{HEAD}container-recipe/golden-container/1.0.0",
        distributionConfigurationArn=None,
        workflows=None,
        executionRole=None,
    )
    assert bench.finish(arn) == "AVAILABLE"
    image = bench.image(arn)
    assert image["type"] == "DOCKER"
    uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/golden-container:1.0.0-1"
    assert image["outputResources"]["containers"] == [{"region": "us-east-1", "imageUris": [uri]}]
    assert bench.outcome(arn)["distribute-container"] == "COMPLETED"
    assert bench.world.of("ami") == []


def test_a_distribution_workflow_of_the_request_distributes(bench: Bench) -> None:
    managed = "arn:aws:imagebuilder:us-east-1:aws:workflow/distribution/distribute-image/x.x.x"
    arn = bench.bake(workflows=[workflow("build", "golden-build"), {"workflowArn": managed}])
    assert bench.finish(arn) == "AVAILABLE"
    assert bench.outcome(arn)["distribute-image"] == "COMPLETED"
    assert len(bench.image(arn)["outputResources"]["amis"]) == 2


def test_the_next_build_of_a_version_gets_the_next_number(bench: Bench) -> None:
    first, second = bench.bake(), bench.bake()
    assert (first[-2:], second[-2:]) == ("/1", "/2")
    assert first[:-2] == second[:-2]


def test_the_same_token_gives_the_same_image_and_builds_once(bench: Bench) -> None:
    arns = {bench.bake(clientToken="one") for _ in range(3)}
    assert len(arns) == 1
    assert len(bench.engine.state.images) == 1


def test_the_same_token_with_other_parameters_is_a_mismatch(bench: Bench) -> None:
    bench.bake(clientToken="one")
    with pytest.raises(ApiError) as caught:
        bench.bake(clientToken="one", tags={"team": "platform"})
    assert caught.value.code == "IdempotentParameterMismatchException"


def test_a_refused_request_does_not_use_up_its_token(bench: Bench) -> None:
    with pytest.raises(ApiError):
        bench.bake(clientToken="one", executionRole=None)
    assert bench.status(bench.bake(clientToken="one")) == "PENDING"


def test_a_version_or_wildcard_means_the_newest_available_build(bench: Bench) -> None:
    first = bench.bake()
    bench.finish(first)
    bench.bake()
    for version in ("1.0.0", "1.0.x", "1.x.x", "x.x.x"):
        found = bench.image(f"{HEAD}image/golden-al2023/{version}")
        assert found["arn"] == first


def test_a_version_without_an_available_build_is_not_found(bench: Bench) -> None:
    bench.bake()
    with pytest.raises(ApiError, match="does not exist"):
        bench.image(f"{HEAD}image/golden-al2023/x.x.x")


def test_an_image_is_not_found_in_another_region(bench: Bench) -> None:
    arn = bench.bake()
    with pytest.raises(ApiError, match="does not exist"):
        bench.call("GetImage", region="eu-west-1", imageBuildVersionArn=arn)


@pytest.mark.parametrize(
    "when", ["PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING"]
)
def test_cancelling_ends_image_and_executions_and_nothing_happens_afterwards(bench: Bench, when: str) -> None:
    arn = bench.bake()
    bench.run_to(arn, when)
    bench.call("CancelImageCreation", imageBuildVersionArn=arn)
    assert bench.status(arn) == when
    assert bench.finish(arn) == "CANCELLED"
    before = (bench.statuses(arn), bench.outcome(arn), len(bench.world.effects))
    bench.engine.clock.advance(1_000_000)
    assert (bench.statuses(arn), bench.outcome(arn), len(bench.world.effects)) == before
    assert set(bench.outcome(arn).values()) <= {"COMPLETED", "CANCELLED"}


def test_cancelling_twice_is_one_cancellation(bench: Bench) -> None:
    arn = bench.bake()
    bench.run_to(arn, "BUILDING")
    for _ in range(2):
        bench.call("CancelImageCreation", imageBuildVersionArn=arn)
    bench.finish(arn)
    assert bench.statuses(arn).count("CANCELLED") == 1


def test_an_image_that_has_ended_cannot_be_cancelled(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    with pytest.raises(ApiError, match="AVAILABLE and cannot be cancelled"):
        bench.call("CancelImageCreation", imageBuildVersionArn=arn)


def test_a_cancelled_test_phase_leaves_the_ami_of_the_build_in_ec2(bench: Bench) -> None:
    arn = bench.bake()
    bench.run_to(arn, "TESTING")
    bench.call("CancelImageCreation", imageBuildVersionArn=arn)
    bench.finish(arn)
    assert [e.region for e in bench.world.of("ami")] == ["us-east-1"]


def test_a_pipeline_execution_builds_what_the_pipeline_says(bench: Bench) -> None:
    pipeline = bench.call("CreateImagePipeline", name="nightly", status="DISABLED", **image_request())
    arn = bench.call(
        "StartImagePipelineExecution", imagePipelineArn=pipeline["imagePipelineArn"], tags={"run": "1"}
    )["imageBuildVersionArn"]
    assert bench.finish(arn) == "AVAILABLE"
    image = bench.image(arn)
    assert image["sourcePipelineArn"] == pipeline["imagePipelineArn"]
    assert image["tags"] == {"run": "1"}
    shown = bench.call("GetImagePipeline", imagePipelineArn=pipeline["imagePipelineArn"])["imagePipeline"]
    assert shown["lastRunStatus"] == "AVAILABLE"
    listed = bench.call("ListImagePipelineImages", imagePipelineArn=pipeline["imagePipelineArn"])
    assert [summary["arn"] for summary in listed["imageSummaryList"]] == [arn]


def test_distribute_image_makes_a_new_image_that_only_goes_out(bench: Bench) -> None:
    source = bench.bake(distributionConfigurationArn=None)
    bench.finish(source)
    arn = bench.call(
        "DistributeImage",
        sourceImage=f"{HEAD}image/golden-al2023/1.0.0",
        distributionConfigurationArn=f"{HEAD}distribution-configuration/golden-two-regions",
        executionRole="ImageBuilderExecution",
    )["imageBuildVersionArn"]
    assert arn != source
    assert bench.finish(arn) == "AVAILABLE"
    assert bench.statuses(arn) == ["PENDING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE"]
    assert {ami["region"] for ami in bench.image(arn)["outputResources"]["amis"]} == {
        "us-east-1",
        "eu-west-1",
    }


def test_distribute_image_refuses_a_source_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(ApiError, match="ami-0123456789abcdef0"):
        bench.call(
            "DistributeImage",
            sourceImage="ami-0123456789abcdef0",
            distributionConfigurationArn=f"{HEAD}distribution-configuration/golden-two-regions",
            executionRole="ImageBuilderExecution",
        )


def test_images_that_are_built_cannot_be_deleted_and_ended_ones_can(bench: Bench) -> None:
    arn = bench.bake()
    with pytest.raises(ApiError, match="PENDING"):
        bench.call("DeleteImage", imageBuildVersionArn=arn)
    bench.finish(arn)
    bench.call("DeleteImage", imageBuildVersionArn=arn)
    with pytest.raises(ApiError, match="does not exist"):
        bench.image(arn)
    assert bench.bake().endswith("/2")


def test_lists_of_images_have_versions_builds_filters_and_pages(bench: Bench) -> None:
    arns = [bench.bake() for _ in range(3)]
    versions = bench.call("ListImages")["imageVersionList"]
    assert [version["arn"] for version in versions] == [f"{HEAD}image/golden-al2023/1.0.0"]
    first = bench.call("ListImageBuildVersions", maxResults=2)
    second = bench.call("ListImageBuildVersions", maxResults=2, nextToken=first["nextToken"])
    listed = [*first["imageSummaryList"], *second["imageSummaryList"]]
    assert [summary["arn"] for summary in listed] == arns
    assert "nextToken" not in second
    none = bench.call("ListImageBuildVersions", filters=[{"name": "platform", "values": ["Windows"]}])
    assert none["imageSummaryList"] == []


def test_a_token_of_another_list_is_refused(bench: Bench) -> None:
    token = bench.call("ListWorkflows", maxResults=1)["nextToken"]
    with pytest.raises(ApiError) as caught:
        bench.call("ListComponents", nextToken=token)
    assert caught.value.code == "InvalidPaginationTokenException"


def test_executions_are_listed_in_pages(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    first = bench.call("ListWorkflowExecutions", imageBuildVersionArn=arn, maxResults=7)
    second = bench.call("ListWorkflowExecutions", imageBuildVersionArn=arn, nextToken=first["nextToken"])
    assert (len(first["workflowExecutions"]), len(second["workflowExecutions"])) == (7, 3)


def test_one_execution_and_one_step_can_be_read(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    run = bench.executions(arn)[1]
    detail = bench.call("GetWorkflowExecution", workflowExecutionId=run["workflowExecutionId"])
    assert (detail["status"], detail["imageBuildVersionArn"]) == ("COMPLETED", arn)
    assert detail["parallelGroup"] == "functional"
    step = bench.steps(arn, FUNCTIONAL[0])[0]
    shown = bench.call("GetWorkflowStepExecution", stepExecutionId=step["stepExecutionId"])
    assert (shown["name"], shown["onFailure"]) == ("LaunchTestInstance", "Abort")


def test_a_build_writes_its_log_under_the_name_of_the_image(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    places = {(e.data["group"], e.data["stream"]) for e in bench.world.of("log")}
    assert places == {("/aws/imagebuilder/golden-al2023", "1.0.0/1")}


def test_a_scan_has_a_state_an_event_and_counts() -> None:
    bench = Bench(behaviour=Behaviour(findings={"high": 2, "medium": 5}))
    arn = bench.bake(imageScanningConfiguration={"imageScanningEnabled": True})
    bench.run_to(arn, "TESTING")
    assert bench.image(arn)["scanState"] == {"status": "SCANNING"}
    bench.finish(arn)
    assert bench.image(arn)["scanState"] == {"status": "COMPLETED"}
    counts = {"all": 7, "critical": 0, "high": 2, "medium": 5}
    events = [e.data for e in bench.world.of("event") if "CVE" in e.data["type"]]
    assert [event["detail"]["finding-severity-counts"] for event in events] == [counts]
    listed = bench.call(
        "ListImageScanFindingAggregations", filter={"name": "imageBuildVersionArn", "values": [arn]}
    )
    assert listed["responses"][0]["imageAggregation"]["severityCounts"] == counts


def test_two_engines_with_one_seed_give_the_same_ids() -> None:
    benches = (Bench(), Bench())
    runs = []
    for each in benches:
        arn = each.bake()
        each.finish(arn)
        runs.append([run["workflowExecutionId"] for run in each.executions(arn)])
    assert runs[0] == runs[1]
