"""Names, versions and ARNs: which resource a wildcard means, and ids that repeat with their seed."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.local.emulator.engine.identifiers import (
    Identifiers,
    arn_of,
    newest,
    normalise,
    parse,
    references,
)

HEAD = "arn:aws:imagebuilder:us-east-1:123456789012:"
CANDIDATES = [f"{HEAD}component/base/{version}" for version in ("1.9.0/1", "1.10.0/1", "1.10.0/2", "2.0.0/1")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("component/base/x.x.x", "component/base/2.0.0/1"),
        ("component/base/1.x.x", "component/base/1.10.0/2"),
        ("component/base/1.9.x", "component/base/1.9.0/1"),
        ("component/base/1.10.0", "component/base/1.10.0/2"),
        ("component/base/1.10.0/1", "component/base/1.10.0/1"),
        ("component/base/3.x.x", None),
        ("component/other/x.x.x", None),
        ("image/base/x.x.x", None),
    ],
)
def test_a_wildcard_means_the_newest_version_and_build_as_numbers(wanted: str, found: str | None) -> None:
    assert newest(CANDIDATES, HEAD + wanted) == (None if found is None else HEAD + found)


def test_names_that_differ_in_case_space_or_underscore_are_one_name() -> None:
    assert normalise("My Golden_Image") == normalise("my-golden-image") == "my-golden-image"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_an_arn_has_the_partition_of_its_region(region: str, partition: str) -> None:
    assert arn_of(region, "image/x/1.0.0/1", "123456789012").startswith(
        f"arn:{partition}:imagebuilder:{region}:123456789012:"
    )


def test_the_type_of_a_workflow_is_part_of_its_resource_type() -> None:
    parts = parse(f"{HEAD}workflow/test/boot/1.0.0/2")
    assert (parts.resource_type, parts.name, parts.version, parts.build) == (
        "workflow/test",
        "boot",
        "1.0.0",
        "2",
    )
    assert parse(f"{HEAD}image-pipeline/nightly").version == ""


def test_references_name_the_wildcards_of_a_version() -> None:
    assert references(f"{HEAD}image/golden/1.2.3/4") == {
        "latestVersionArn": f"{HEAD}image/golden/x.x.x",
        "latestMajorVersionArn": f"{HEAD}image/golden/1.x.x",
        "latestMinorVersionArn": f"{HEAD}image/golden/1.2.x",
        "latestPatchVersionArn": f"{HEAD}image/golden/1.2.3",
    }


def test_one_seed_gives_the_same_ids_and_another_seed_others() -> None:
    ids = [
        [source.execution(), source.step(), source.hexadecimal("ami")]
        for source in map(Identifiers, (1, 1, 2))
    ]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert [text.split("-")[0] for text in ids[0]] == ["wf", "step", "ami"]
    assert len(ids[0][2]) == len("ami-") + 17


def test_a_random_duration_does_not_depend_on_the_ids_made_before() -> None:
    first, second = Identifiers(1), Identifiers(1)
    second.uuid()
    assert first.between(0, 1, "boot") == second.between(0, 1, "boot")
    assert first.between(0, 1, "boot") != first.between(0, 1, "users")
