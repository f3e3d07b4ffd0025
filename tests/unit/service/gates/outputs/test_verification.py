"""What of an image's outputs is not as its distribution configuration asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageNotAvailableError,
    OutputsDifferError,
    ThrottledError,
)
from airflow_imagebuilder.service.gates.outputs.asked import More
from airflow_imagebuilder.service.gates.outputs.difference import REMEDIES, Difference, Kind, table
from airflow_imagebuilder.service.gates.outputs.judging import Judge
from airflow_imagebuilder.service.gates.outputs.reading import OutputReader
from airflow_imagebuilder.service.gates.outputs.verification import verify
from tests.support import answers
from tests.support.outputs import HERE, KEY, OTHER, OWN, THERE, FakeOutputs, denied

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "golden {{ imagebuilder:buildDate }}"
ALIAS = f"arn:aws:kms:{THERE}:{OWN}:alias/golden"
ORGANIZATION = f"arn:aws:organizations::{OWN}:organization/o-abcdefghij"
UNIT = f"arn:aws:organizations::{OWN}:ou/o-abcdefghij/ou-ab12-abcdefgh"


def distribution(region: str, more: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return AWS's Distribution of a region; members are those of the AMI."""
    return {"region": region, "amiDistributionConfiguration": {"name": NAME, **members}, **(more or {})}


def listed(ami: str | None, region: str, account: str = OWN) -> dict[str, Any]:
    found = {"region": region, "accountId": account, "name": "golden 2026", "state": {"status": "AVAILABLE"}}
    return {**found, "image": ami} if ami else {**found, "state": {"status": "FAILED", "reason": "denied"}}


class Scene:
    """An image with an AMI in two regions, and its outputs."""

    def __init__(self, *distributions: dict[str, Any], **changes: Any) -> None:
        self.outputs = FakeOutputs()
        self.now = 0.0
        self.pauses: list[float] = []
        self.at_pause: Callable[[], object] = lambda: None
        self.outputs.ami("ami-here")
        self.outputs.ami("ami-there", THERE)
        wanted = list(distributions) or [distribution(HERE), distribution(THERE)]
        self.image = answers.image(
            **{
                "outputResources": {"amis": [listed("ami-here", HERE), listed("ami-there", THERE)]},
                "distributionConfiguration": {"name": "two", "distributions": wanted},
                **changes,
            }
        )

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self.at_pause()

    def verify(self, **options: Any) -> Any:
        reader = OutputReader(options.pop("connect", self.outputs.connect), patience=0.01)
        judge = Judge(reader, clock=lambda: self.now, sleep=self.sleep)
        return verify(self.image, [], judge, **options)

    def rows(self, **options: Any) -> list[tuple[str, str, str]]:
        """Return region, kind and found of each difference."""
        return [(one.region, str(one.kind), one.found) for one in self.verify(**options).differences]


def test_outputs_that_are_as_asked_for_have_no_difference() -> None:
    scene = Scene()
    verification = scene.verify()
    assert verification.differences == ()
    verification.check(fail_on_unverified=True)
    assert [ami["image"] for ami in verification.to_dict()["amis"]] == ["ami-here", "ami-there"]
    assert scene.pauses == []


def test_an_ami_that_ec2_does_not_find_is_missing() -> None:
    scene = Scene()
    del scene.outputs.places[THERE, OWN].amis["ami-there"]
    assert scene.rows() == [(THERE, "missing", "EC2 does not find it")]


def test_a_region_that_getimage_does_not_list_is_missing() -> None:
    scene = Scene(distribution(HERE), distribution("ap-south-1"))
    assert scene.rows(patience=60.0) == [("ap-south-1", "missing", "GetImage lists nothing")]
    assert scene.pauses == []  # waiting would not help


def test_a_copy_that_failed_is_missing_with_its_reason() -> None:
    amis = {"amis": [listed("ami-here", HERE), listed(None, THERE)]}
    scene = Scene(outputResources=amis)
    assert scene.rows() == [(THERE, "missing", "GetImage lists denied, which is not golden")]


@pytest.mark.parametrize("state", ["pending", "disabled", "deregistered"])
def test_an_ami_that_is_not_available_differs(state: str) -> None:
    scene = Scene()
    scene.outputs.ami("ami-there", THERE, State=state)
    assert scene.rows() == [(THERE, "state", state)]


def test_a_name_and_tags_are_compared_with_their_placeholders_as_any_text() -> None:
    tags = {"team": "web", "built": "on {{ imagebuilder:buildDate }}"}
    scene = Scene(distribution(HERE, amiTags=tags))
    scene.outputs.ami("ami-here", tags={"team": "web", "built": "on 2026-09-09", "CreatedBy": "EC2"})
    assert scene.rows() == []
    scene.outputs.ami("ami-here", Name="silver", tags={"team": "db"})
    assert scene.rows() == [
        (HERE, "name", "silver"),
        (HERE, "tag", "team=db"),
        (HERE, "tag", "no such tag"),
    ]


def test_each_launch_permission_that_was_asked_for_must_be_granted() -> None:
    permission = {
        "userIds": [OTHER],
        "userGroups": ["all"],
        "organizationArns": [ORGANIZATION],
        "organizationalUnitArns": [UNIT],
    }
    scene = Scene(distribution(HERE, launchPermission=permission))
    granted = scene.outputs.places[HERE, OWN].permissions["ami-here"]
    granted += [
        {"UserId": OTHER},
        {"Group": "all"},
        {"OrganizationArn": ORGANIZATION},
        {"OrganizationalUnitArn": UNIT},
        {"UserId": "999999999999"},
    ]
    assert scene.rows() == []
    while granted:
        granted.pop()
    assert [one.asked for one in scene.verify().differences] == [
        f"UserId {OTHER}",
        "Group all",
        f"OrganizationArn {ORGANIZATION}",
        f"OrganizationalUnitArn {UNIT}",
    ]


def test_a_copy_must_be_encrypted_with_the_key_that_was_asked_for() -> None:
    scene = Scene(distribution(HERE, kmsKeyId=KEY), distribution(THERE, kmsKeyId=ALIAS))
    place = scene.outputs.places[THERE, OWN]
    assert scene.rows() == [(THERE, "encryption", "/dev/xvda (snap-there) is not encrypted")]
    scene.outputs.ami("ami-there", THERE, encrypted=True)
    place.keys["snap-there"], place.aliases[ALIAS] = "arn:aws:kms:other", "arn:aws:kms:golden"
    assert scene.rows() == [(THERE, "encryption", "/dev/xvda has arn:aws:kms:other")]
    place.keys["snap-there"] = "arn:aws:kms:golden"
    assert scene.rows() == []
    place.aliases.clear()
    ((_, _, found),) = scene.rows()
    assert "KMS does not find the key" in found


def test_the_key_of_the_ami_of_the_build_is_not_that_of_the_configuration() -> None:
    assert Scene(distribution(HERE, kmsKeyId=KEY)).rows() == []


def test_a_parameter_must_hold_the_ami() -> None:
    name = {"ssmParameterConfigurations": [{"parameterName": "/imagebuilder/golden"}]}
    scene = Scene(distribution(HERE, name))
    assert scene.rows() == [(HERE, "SSM parameter", "no such parameter")]
    parameters = scene.outputs.places[HERE, OWN].parameters
    parameters["/imagebuilder/golden"] = "ami-newer"
    assert scene.rows() == [(HERE, "SSM parameter", "ami-newer")]
    parameters["/imagebuilder/golden"] = "ami-here"
    assert scene.rows() == []


@pytest.mark.parametrize(
    ("default", "versions", "found"),
    [
        (None, None, "no such launch template"),
        (None, ["ami-old"], "ami-old"),
        (None, ["ami-here", "ami-newer"], "ami-newer"),
        (True, ["ami-old", "ami-here"], None),
        (False, ["ami-here", "ami-newer"], None),
        (False, ["ami-old"], "none"),
    ],
)
def test_a_launch_template_must_launch_the_ami(
    default: bool | None, versions: list[str] | None, found: str | None
) -> None:
    given = {"launchTemplateId": "lt-1", **({} if default is None else {"setDefaultVersion": default})}
    scene = Scene(distribution(HERE, {"launchTemplateConfigurations": [given]}))
    if versions:
        scene.outputs.places[HERE, OWN].templates["lt-1"] = versions
    assert scene.rows() == ([(HERE, "launch template", found)] if found else [])


# -- other accounts ----------------------------------------------------------------------------------------


def shared(**changes: Any) -> Scene:
    amis = {"amis": [listed("ami-here", HERE), listed("ami-shared", HERE, OTHER)]}
    return Scene(
        distribution(HERE, targetAccountIds=[OTHER], amiTags={"team": "web"}, **changes), outputResources=amis
    )


def test_the_ami_of_a_target_account_is_read_there() -> None:
    scene = shared()
    scene.outputs.ami("ami-here", tags={"team": "web"})
    assert scene.rows() == [(HERE, "missing", "EC2 does not find it")]
    scene.outputs.ami("ami-shared", account=OTHER, tags={"team": "web"})
    assert scene.rows() == []
    scene.outputs.ami("ami-shared", account=OTHER)
    assert scene.rows() == [(HERE, "tag", "no such tag")]


def test_the_building_account_needs_no_ami_where_only_others_are_targets() -> None:
    scene = Scene(
        distribution(THERE, targetAccountIds=[OTHER]),
        outputResources={"amis": [listed("ami-shared", THERE, OTHER)]},
    )
    scene.outputs.ami("ami-shared", THERE, OTHER)
    assert scene.rows() == []
    scene.image["outputResources"] = {"amis": []}
    assert [one.account for one in scene.verify().differences] == [OTHER]


def test_credentials_of_a_wrong_account_do_not_pass_for_the_target() -> None:
    scene = shared()
    scene.outputs.ami("ami-here", tags={"team": "web"})
    scene.outputs.places[HERE, OTHER].amis["ami-shared"] = scene.outputs.ami(
        "ami-shared", tags={"team": "web"}
    )
    assert scene.rows() == [(HERE, "owner", OWN)]


def test_an_account_without_credentials_is_not_verified() -> None:
    scene = shared()
    scene.outputs.ami("ami-here", tags={"team": "web"})

    def connect(service: str, region: str, account: str, renew: bool) -> Any:
        if account == OTHER:
            raise ForbiddenError("AssumeRole", message="no connection")
        return scene.outputs.connect(service, region, account, renew)

    verification = scene.verify(connect=connect, patience=60.0)
    assert [(one.account, one.found) for one in verification.unverified] == [(OTHER, "no connection")]
    assert scene.pauses == []  # waiting would not help
    verification.check(fail_on_unverified=False)
    with pytest.raises(OutputsDifferError, match="fail_on_unverified=False"):
        verification.check(fail_on_unverified=True)


def test_a_permission_that_is_missing_does_not_hide_what_can_be_read() -> None:
    name = {"ssmParameterConfigurations": [{"parameterName": "/imagebuilder/golden"}]}
    scene = Scene(distribution(HERE, name, launchPermission={"userIds": [OTHER]}))
    scene.outputs.troubles["describe_image_attribute"] = [denied("DescribeImageAttribute")]
    assert [kind for _, kind, _ in scene.rows()] == ["not verified", "SSM parameter"]


def test_a_parameter_of_another_account_is_read_there() -> None:
    parameter = {"parameterName": "/imagebuilder/golden", "amiAccountId": OTHER}
    scene = Scene(
        distribution(HERE, {"ssmParameterConfigurations": [parameter]}, targetAccountIds=[OTHER]),
        outputResources={"amis": [listed("ami-here", HERE), listed("ami-shared", HERE, OTHER)]},
    )
    scene.outputs.ami("ami-shared", account=OTHER)
    scene.outputs.places[HERE, OTHER].parameters["/imagebuilder/golden"] = "ami-shared"
    assert scene.rows() == []


# -- more than the configuration ---------------------------------------------------------------------------


def test_what_every_ami_must_have_in_addition() -> None:
    scene = Scene()
    more = More(tags={"team": "web", "cost": ""}, encrypted=True, regions=[HERE, "ap-south-1"])
    scene.outputs.ami("ami-here", tags={"team": "web", "cost": "7"}, encrypted=True)
    assert scene.rows(more=more) == [
        (THERE, "tag", "no such tag"),
        (THERE, "tag", "no such tag"),
        (THERE, "encryption", "/dev/xvda (snap-there) is not encrypted"),
        ("ap-south-1", "missing", "GetImage lists nothing"),
    ]


def test_without_a_configuration_the_region_of_the_build_counts() -> None:
    scene = Scene(distributionConfiguration={}, outputResources={"amis": [listed("ami-here", HERE)]})
    assert scene.rows() == []
    scene.image["outputResources"] = {}
    assert scene.rows() == [(HERE, "missing", "GetImage lists nothing")]


def test_an_ami_beyond_the_configuration_must_be_available() -> None:
    scene = Scene(distribution(HERE))
    scene.outputs.ami("ami-there", THERE, State="failed", Name="of a distribution workflow")
    assert scene.rows() == [(THERE, "state", "failed")]


def test_what_is_expected_decides_which_ami_is_golden() -> None:
    scene = Scene(distribution(THERE, name="new {{ imagebuilder:buildDate }}"))  # changed since the build
    assert (HERE, "ami-here") not in {(a.region, a.image) for a in scene.verify().result.golden_amis}
    verification = scene.verify(expected=[distribution(HERE), distribution(THERE)])
    assert verification.differences == ()
    assert [ami.image for ami in verification.result.golden_amis] == ["ami-here", "ami-there"]
    assert [ami.image for ami in scene.verify(expected=[distribution(HERE)]).result.golden_amis] == [
        "ami-here", "ami-there",
    ]  # fmt: skip


def test_what_is_expected_replaces_the_configuration() -> None:
    scene = Scene()
    assert scene.rows(expected=[distribution("ap-south-1")]) == [
        ("ap-south-1", "missing", "GetImage lists nothing")
    ]
    configuration = {"distributions": [distribution(HERE, amiTags={"team": "web"})]}
    assert scene.rows(expected=configuration) == [(HERE, "tag", "no such tag")]


# -- images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "DISTRIBUTING", "DEPRECATED", "DISABLED"])
def test_an_image_that_is_not_available_is_refused_before_anything_is_read(status: str) -> None:
    scene = Scene()
    scene.image["state"] = {"status": status, "reason": "why"}
    with pytest.raises(ImageNotAvailableError, match=f"is {status}, not AVAILABLE: why"):
        scene.verify()
    assert scene.outputs.calls == []


def test_an_image_of_tests_only_has_nothing_to_verify() -> None:
    tests = [{"workflowArn": f"{answers.HERE}:workflow/test/boot/1.0.0/1"}]
    scene = Scene(workflows=tests, outputResources={"amis": [listed("ami-parent", HERE)]})
    verification = scene.verify()
    assert [(str(one.kind), one.found) for one in verification.differences] == [
        ("not built", "the parent AMI (ami-parent): the image has no build workflow")
    ]
    assert scene.outputs.calls == []
    with pytest.raises(OutputsDifferError, match="only tested its parent"):
        verification.check(fail_on_unverified=False)


def test_a_configuration_that_changed_since_is_said_first_where_outputs_differ() -> None:
    scene = Scene()
    scene.image["dateCreated"] = "2026-09-09T19:00:00.000Z"
    scene.image["distributionConfiguration"]["dateUpdated"] = "2026-09-09T19:30:00Z"
    assert scene.verify().changed == "2026-09-09T19:30:00Z"
    assert scene.rows() == []
    scene.outputs.ami("ami-there", THERE, State="pending")
    assert [kind for _, kind, _ in scene.rows()] == ["configuration", "state"]
    with pytest.raises(OutputsDifferError, match="give what was asked for then as expected"):
        scene.verify().check(fail_on_unverified=True)
    given = scene.image["distributionConfiguration"]["distributions"]
    assert [kind for _, kind, _ in scene.rows(expected=given)] == ["state"]


def test_a_configuration_that_changed_since_does_not_count_where_outputs_only_could_not_be_read() -> None:
    scene = Scene(distribution(HERE, launchPermission={"userIds": [OTHER]}), distribution(THERE))
    scene.image["dateCreated"] = "2026-09-09T19:00:00.000Z"
    scene.image["distributionConfiguration"]["dateUpdated"] = "2026-09-09T19:30:00Z"
    scene.outputs.troubles["describe_image_attribute"] = [denied("DescribeImageAttribute")]
    verification = scene.verify()
    assert [str(one.kind) for one in verification.differences] == ["not verified"]
    assert verification.changed
    verification.check(fail_on_unverified=False)


@pytest.mark.parametrize("updated", [None, "2026-09-09T18:30:00Z", "Sep 9, 2026"])
def test_a_configuration_that_did_not_change_since_is_not_mentioned(updated: str | None) -> None:
    scene = Scene()
    scene.image["dateCreated"] = "2026-09-09T19:00:00.000Z"
    scene.image["distributionConfiguration"]["dateUpdated"] = updated
    scene.outputs.ami("ami-there", THERE, State="pending")
    assert [kind for _, kind, _ in scene.rows()] == ["state"]


# -- containers --------------------------------------------------------------------------------------------


def container(*tags: str, listed: tuple[str, ...] = ("1.0.0-3", "latest")) -> Scene:
    host = f"{OWN}.dkr.ecr.{HERE}.amazonaws.com/team/golden"
    configuration = {"containerTags": list(tags)} if tags else {}
    scene = Scene(
        {"region": HERE, "containerDistributionConfiguration": configuration},
        type="DOCKER",
        workflows=[],
        containerRecipe={"targetRepository": {"service": "ECR", "repositoryName": "team/golden"}},
        outputResources={"containers": [{"region": HERE, "imageUris": [f"{host}:{tag}" for tag in listed]}]},
    )
    digests = scene.outputs.places[HERE, OWN].digests
    digests.update({("team/golden", tag): "sha256:one" for tag in listed})
    return scene


def test_the_tags_of_a_container_image_are_in_ecr() -> None:
    assert container().rows() == []
    assert (
        container("{{ imagebuilder:buildVersion }}.0-3", "latest", listed=("1.0.0-3", "latest")).rows() == []
    )
    scene = container("latest")
    scene.outputs.places[HERE, OWN].digests.clear()
    assert scene.rows() == [(HERE, "container tag", "ECR does not find it")]
    assert container("stable").rows() == [(HERE, "container tag", "GetImage lists 1.0.0-3, latest")]


def test_a_tag_that_a_newer_container_image_has_taken_differs() -> None:
    scene = container("1.0.0-3", "latest")
    scene.outputs.places[HERE, OWN].digests["team/golden", "latest"] = "sha256:two"
    assert scene.rows() == [(HERE, "container tag", "1.0.0-3 sha256:one, latest sha256:two")]


def test_a_region_that_must_have_the_container_image_and_has_not() -> None:
    rows = container().rows(more=More(regions=[THERE]))
    assert rows == [(THERE, "container tag", "GetImage lists nothing")]


# -- reading again -----------------------------------------------------------------------------------------


def test_what_ec2_shows_late_is_read_again_and_what_fits_is_not() -> None:
    scene = Scene()
    scene.outputs.ami("ami-there", THERE, State="pending")
    scene.at_pause = lambda: scene.outputs.ami("ami-there", THERE)
    assert scene.rows(patience=60.0) == []
    assert [region for region, _, _ in scene.outputs.calls] == [HERE, THERE, THERE]


def test_patience_is_bounded() -> None:
    scene = Scene()
    scene.outputs.ami("ami-there", THERE, State="pending")
    assert scene.rows(patience=10.0) == [(THERE, "state", "pending")]
    assert sum(scene.pauses) == pytest.approx(10.0)


def test_a_process_that_stalls_during_a_pause_reads_once_more_before_it_judges() -> None:
    scene = Scene()
    scene.outputs.ami("ami-there", THERE, State="pending")

    def stall() -> None:
        scene.now += 3600
        scene.outputs.ami("ami-there", THERE)

    scene.at_pause = stall
    assert scene.rows(patience=10.0) == []


def test_an_output_that_disappears_while_others_are_read_again_is_reported() -> None:
    scene = Scene()
    scene.outputs.ami("ami-here", State="pending")
    scene.at_pause = scene.outputs.places[HERE, OWN].amis.clear
    assert scene.rows(patience=5.0) == [(HERE, "missing", "EC2 does not find it")]


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "ThrottlingException", "Throttling"])
def test_throttling_is_retried_and_is_never_a_difference(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    scene = Scene()
    scene.outputs.troubles["describe_images"] = [denied("DescribeImages", code, 503)] * 2
    reader = OutputReader(scene.outputs.connect, patience=600)
    assert verify(scene.image, [], Judge(reader)).differences == ()
    scene.outputs.troubles["describe_images"] = [denied("DescribeImages", code, 400)]
    with pytest.raises(ThrottledError):
        verify(scene.image, [], Judge(OutputReader(scene.outputs.connect, patience=0.0)))


def test_credentials_that_expire_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    scene.outputs.troubles["describe_images"] = [denied("DescribeImages", "RequestExpired", 400)]
    assert verify(scene.image, [], Judge(OutputReader(scene.outputs.connect, patience=600))).differences == ()
    assert scene.outputs.renewals == 1


# -- what a person and an XCom get -------------------------------------------------------------------------


def difference(number: int = 1, **changes: Any) -> Difference:
    usual: dict[str, Any] = {"kind": Kind.TAG, "region": HERE, "account": OWN, "resource": f"ami-{number}"}
    return Difference(**{**usual, "asked": "team=web", "found": "no such tag", **changes})


def test_a_table_has_a_line_for_each_difference() -> None:
    lines = table([difference(), difference(2, found="team=\x1b[31mdb\n")]).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["REGION", "ACCOUNT", "WHAT", "RESOURCE", "ASKED", "FOR", "FOUND"]
    assert lines[2].endswith("team=db")
    assert lines[1].index("team=web") == lines[0].index("ASKED FOR")


def test_tables_errors_and_xcoms_are_bounded() -> None:
    amis = [listed(f"ami-{number}", f"eu-west-{number}") for number in range(2000)]
    scene = Scene(distribution(HERE), outputResources={"amis": amis})
    verification = scene.verify(more=More(tags={"x" * 5000: "y" * 5000}))
    assert len(verification.differences) == 2001
    assert len(json.dumps(verification.to_dict())) < 100_000
    with pytest.raises(OutputsDifferError) as caught:
        verification.check(fail_on_unverified=True)
    assert (caught.value.count, len(caught.value.differences)) == (2001, 100)
    assert len(str(caught.value)) < 10_000
    assert "... and 1981 more" in str(caught.value)


def test_each_kind_of_difference_has_its_way_out() -> None:
    assert set(REMEDIES) == set(Kind)


def test_nothing_but_reads_is_called() -> None:
    scene = Scene()
    scene.verify(more=More(encrypted=True))
    assert {operation.split("_")[0] for _, _, operation in scene.outputs.calls} == {"describe"}
