"""
Bake one image by hand: choose it in the form, watch its tests, verify its regions.

Trigger it from the UI. The form checks what is typed; the operator checks the rest before AWS is asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
RECIPES = {
    "Amazon Linux 2023": "golden-al2023/1.0.0",
    "Ubuntu 24.04": "golden-ubuntu-2404/1.0.0",
    "Windows Server 2022": "golden-windows-2022/1.0.0",
}
TESTS = {
    "functional": ["boot", "network", "services"],
    "security": ["cis-level-1", "package-audit"],
}
REGIONS = ["us-east-1", "eu-west-1"]
"""Those of the distribution configuration."""


def tests(group: str) -> TestGroup:
    """Return one of the account's test groups; here a failed test stops the image."""
    return TestGroup(
        group, tuple(Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1") for name in TESTS[group])
    )


with DAG(
    dag_id="golden_image_manual",
    description="Bake one image by hand, with a form.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    user_defined_macros={"recipes": RECIPES},
    params={
        "platform": Param(
            "Amazon Linux 2023",
            type="string",
            enum=list(RECIPES),
            title="Platform",
            description_md="Which image recipe is built.",
        ),
        "recipe_version": Param(
            "1.0.0",
            type="string",
            enum=["1.0.0", "1.0.x", "x.x.x"],
            title="Recipe version",
            description_md="`x` takes the newest that exists.",
        ),
        "test_groups": Param(
            list(TESTS),
            type="array",
            items={"type": "string", "enum": list(TESTS)},
            minItems=1,
            examples=list(TESTS),
            title="Test groups",
            description_md="Groups that are left out are skipped.",
        ),
        "tags": Param(
            {"baked-by": "airflow"},
            type="object",
            additionalProperties={"type": "string", "maxLength": 256},
            minProperties=1,
            maxProperties=50,
            title="Tags of the image",
            description_md='1 to 50, as JSON: `{"key": "value"}`.',
        ),
        "regions": Param(
            REGIONS,
            type="array",
            items={"type": "string", "enum": REGIONS},
            examples=REGIONS,
            title="Regions to verify",
            description_md="The run fails if the AMI cannot be used in one of them.",
        ),
    },
    tags=["imagebuilder"],
    doc_md=__doc__,
) as dag:
    golden = ImageBuilderTaskGroup(
        "golden_image",
        image_recipe_arn=(
            PREFIX + ":image-recipe/{{ recipes[params.platform].split('/')[0] }}/{{ params.recipe_version }}"
        ),
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=PREFIX + ":distribution-configuration/golden-two-regions",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[tests(group) for group in TESTS],
        run_tests="{{ params.test_groups | tojson }}",
        tags="{{ params.tags | tojson }}",
        timeout=timedelta(hours=4),
        # One more try: it finds the image again if the worker died, or repairs the image if it failed.
        default_args={"retries": 1, "retry_delay": timedelta(seconds=30)},
    )

    # Another try would find the same AMIs.
    @task(retries=0)
    def verify_regions(image: dict[str, Any], params: dict[str, Any] | None = None) -> dict[str, str]:
        """Ask EC2 in every wanted region whether the AMI is there and available."""
        from airflow.providers.amazon.aws.hooks.ec2 import EC2Hook

        amis = {ami["region"]: ami["image"] for ami in image["golden_amis"]}
        states = {}
        for region in (params or {}).get("regions", []):
            if region not in amis:
                raise ValueError(
                    f"The image has no AMI in {region}, only in {', '.join(amis)}: add the region to the "
                    "distribution configuration, or take it out of 'Regions to verify'."
                )
            client = EC2Hook(region_name=region, api_type="client_type").conn
            found = client.describe_images(ImageIds=[amis[region]])["Images"]
            states[region] = found[0]["State"] if found else "missing"
        bad = {region: state for region, state in states.items() if state != "available"}
        if bad:
            raise RuntimeError(f"AMIs that cannot be used: {bad}")
        return {region: amis[region] for region in states}

    golden >> verify_regions(golden.result)
