"""Which AMI of an image is the golden one, by region and account."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.results.ami import fits
from airflow_imagebuilder.service.results.image import ImageResult
from tests.support import answers

OWN, OTHER = "123456789012", "210987654321"
NAME = "golden {{ imagebuilder:buildDate }}"
BUILD = {"workflowArn": f"{answers.HERE}:workflow/build/golden-build/1.0.0/1"}
TEST = {"workflowArn": f"{answers.HERE}:workflow/test/boot/x.x.x"}
SEND = {"workflowArn": f"{answers.HERE}:workflow/distribution/send/1.0.0/1"}


def ami(number: str, region: str = "us-east-1", account: str | None = OWN, **members: Any) -> dict[str, Any]:
    usual = {"region": region, "image": f"ami-{number}", "state": {"status": "AVAILABLE"}}
    owner = {"accountId": account} if account else {}
    return {**usual, **owner, **members}


def asked(*regions: str, name: str | None = NAME, accounts: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the distribution configuration of an image."""
    wanted = {"name": name, "targetAccountIds": list(accounts)}
    given = {key: value for key, value in wanted.items() if value}
    return {
        "distributionConfiguration": {
            "distributions": [{"region": region, "amiDistributionConfiguration": given} for region in regions]
        }
    }


def golden(*amis: dict[str, Any], status: str = "AVAILABLE", **members: Any) -> list[str | None]:
    """Return the ids of the golden AMIs of an image with these outputs."""
    made = answers.image(status, outputResources={"amis": list(amis)}, **members)
    return [ami.image for ami in ImageResult.from_api(made).golden_amis]


def test_without_a_distribution_configuration_the_ami_of_the_build_is_golden() -> None:
    assert golden(ami("raw")) == ["ami-raw"]
    assert golden(ami("raw", account=None)) == ["ami-raw"]


def test_the_ami_whose_name_was_asked_for_is_golden_wherever_it_is_listed() -> None:
    raw, named = ami("raw", name="Golden-AL2023 2026"), ami("named", name="golden 2026")
    assert golden(raw, named, **asked("us-east-1")) == ["ami-named"]
    assert golden(named, raw, **asked("us-east-1")) == ["ami-named"]


def test_the_last_one_is_golden_where_names_do_not_decide() -> None:
    for changes in (asked("us-east-1", name=None), asked("us-east-1")):
        assert golden(ami("raw"), ami("copy"), **changes) == ["ami-copy"]
    assert golden(ami("raw", name="golden 1"), ami("copy", name="golden 2"), **asked("us-east-1")) == [
        "ami-copy"
    ]


def test_each_region_and_account_has_its_own() -> None:
    amis = [
        ami("there", "eu-west-1"),
        ami("raw", name="raw"),
        ami("shared", account=OTHER, name="golden 1"),
        ami("here", name="golden 1"),
    ]
    found = golden(*amis, **asked("eu-west-1", "us-east-1", accounts=(OTHER,)))
    assert found == ["ami-here", "ami-there", "ami-shared"]


def test_a_configuration_without_the_region_of_the_build_leaves_a_raw_ami_there() -> None:
    assert golden(ami("raw"), ami("copy", "eu-west-1"), **asked("eu-west-1")) == ["ami-copy"]
    assert golden(ami("raw"), ami("shared", account=OTHER), **asked("eu-west-1")) == ["ami-shared"]


def test_a_copy_in_a_region_that_only_a_distribution_workflow_names_is_golden() -> None:
    found = golden(ami("here"), ami("there", "ap-south-1"), workflows=[BUILD, SEND], **asked("us-east-1"))
    assert found == ["ami-here", "ami-there"]


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "DISABLED", "DELETED", "DISTRIBUTING", "TESTING"])
def test_an_image_that_cannot_be_used_has_none(status: str) -> None:
    assert golden(ami("raw"), ami("named", name="golden 1"), status=status, **asked("us-east-1")) == []


def test_an_image_that_is_deprecated_has_its_amis() -> None:
    assert golden(ami("old"), status="DEPRECATED") == ["ami-old"]


def test_the_parent_is_not_golden_of_an_image_of_tests_only() -> None:
    assert golden(ami("parent"), workflows=[TEST]) == []
    assert golden(ami("parent"), workflows=[TEST, SEND], **asked("us-east-1")) == []


def test_executions_decide_where_the_image_does_not_list_its_workflows() -> None:
    made = answers.image(workflows=[], outputResources={"amis": [ami("one")]})
    built = ImageResult.from_api(made, [answers.execution("BUILD", "b", "wf-1"), answers.boot()])
    assert len(built.golden_amis) == 1
    assert ImageResult.from_api(made, [answers.boot()]).golden_amis == ()
    assert len(ImageResult.from_api(made).golden_amis) == 1  # as far as GetImage shows


def test_an_image_that_was_only_distributed_has_the_copies_that_were_asked_for() -> None:
    infrastructure: dict[str, Any] = {"infrastructureConfiguration": {"name": "golden-build"}}
    copied: dict[str, Any] = {"workflows": [SEND], "outputResources": {"amis": [ami("copy", "eu-west-1")]}}
    made = answers.image(**copied, **infrastructure, **asked("eu-west-1"))
    assert ImageResult.from_api(made).golden_amis == ()  # CreateImage: a copy of the parent
    del made["infrastructureConfiguration"]
    assert len(ImageResult.from_api(made).golden_amis) == 1  # DistributeImage


def test_the_report_of_a_copy_that_failed_is_not_an_ami() -> None:
    failed = ami("x", "eu-west-1", state={"status": "FAILED", "reason": "denied"})
    without_id = {key: value for key, value in ami("x", "eu-west-1").items() if key != "image"}
    assert golden(ami("here"), failed, without_id, **asked("us-east-1", "eu-west-1")) == ["ami-here"]


def test_a_record_of_an_earlier_version_gets_the_choice_that_it_allows() -> None:
    stored = ImageResult.from_api(answers.image(outputResources={"amis": [ami("one"), ami("two")]})).to_dict()
    del stored["golden_amis"]
    for item in stored["amis"]:
        del item["golden"]
    assert [ami.image for ami in ImageResult.from_dict(stored).golden_amis] == ["ami-two"]
    assert ImageResult.from_dict({**stored, "status": "FAILED"}).golden_amis == ()


def test_a_template_reads_the_golden_amis_with_that_of_the_build_first() -> None:
    amis = [ami("raw", name="raw"), ami("there", "eu-west-1"), ami("here", name="golden 1")]
    stored = ImageResult.from_api(
        answers.image(outputResources={"amis": amis}, **asked("us-east-1", "eu-west-1"))
    ).to_dict()
    assert [item["image"] for item in stored["golden_amis"]] == ["ami-here", "ami-there"]
    assert [item["golden"] for item in stored["amis"]] == [False, True, True]


@pytest.mark.parametrize(
    ("template", "text", "fitting"),
    [
        ("golden", "golden", True),
        ("golden", "golden 1", False),
        (NAME, "golden 2026-09-09T19-12-03.500Z", True),
        (NAME, "silver 2026", False),
        ("a-{{imagebuilder:buildVersion}}-{{ imagebuilder:buildDate:yyyy }}-z", "a-3-2026-z", True),
        ("a-{{imagebuilder:buildVersion}}-{{ imagebuilder:buildDate:yyyy }}-z", "a-3.2026-z", False),
        ("{{ x }}ab{{ x }}", "1ab2", True),
        ("ab{{ x }}ba", "aba", False),
        ("{{ x }}" * 40 + "!", "a" * 300, False),
        ("a.c{{ x }}", "abc1", False),
    ],
)
def test_a_placeholder_can_be_any_text(template: str, text: str, fitting: bool) -> None:
    assert fits(template, text) is fitting
