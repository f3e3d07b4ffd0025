"""
Bake one image on request: a form with a required reason, optional fields, and the regions to confirm.

``confirm`` stops the run before anything is built if the distribution configuration copies the image to other
regions than the form says.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
IMAGES = ["golden-al2023", "golden-ubuntu-2404", "golden-windows-2022"]
TESTS = ["boot", "network", "cis-level-1"]
REGIONS = ["us-east-1", "eu-west-1"]
# Empty if the field is empty: then CreateImage gets no distribution configuration.
DISTRIBUTION = (
    "{% if params.distribution %}"
    + PREFIX
    + ":distribution-configuration/{{ params.distribution }}{% endif %}"
)

with DAG(
    dag_id="image_on_request",
    description="Bake one image by hand, after its regions are confirmed.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={
        # A Param without a default is required: the form does not send without it.
        "reason": Param(
            type="string",
            minLength=5,
            maxLength=256,
            pattern=r"^[\w .:/=+@-]*$",
            title="Reason",
            description_md="A ticket, for example `OPS-4711`. It becomes a tag of the image.",
        ),
        "image": Param(IMAGES[0], type="string", enum=IMAGES, title="Image"),
        "regions": Param(
            ["us-east-1"],
            type="array",
            items={"type": "string", "enum": REGIONS},
            examples=REGIONS,
            minItems=1,
            title="Regions",
            description_md="Where the image has to be. The run stops if it would be in others.",
        ),
        "distribution": Param(
            None,
            type=["null", "string"],
            title="Distribution configuration",
            description_md="Its name, such as `golden-two-regions`. Empty: only the region of the build.",
        ),
        "tests": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": TESTS},
            examples=TESTS,
            title="Tests",
            description_md="Empty: all.",
        ),
    },
    tags=["imagebuilder"],
    doc_md=__doc__,
) as image_on_request:
    # Another try would find the same regions.
    @task(retries=0)
    def confirm(distribution_arn: str, home: str, params: dict[str, Any] | None = None) -> list[str]:
        """Return the regions of the image, if they are those of the form."""
        from airflow_imagebuilder import ImageBuilderHook

        regions = [home.split(":")[3]]
        if distribution_arn:
            found = ImageBuilderHook().conn.get_distribution_configuration(
                distributionConfigurationArn=distribution_arn
            )
            regions = [entry["region"] for entry in found["distributionConfiguration"]["distributions"]]
        confirmed = (params or {})["regions"]
        if set(regions) != set(confirmed):
            raise ValueError(
                f"This image would be in {', '.join(regions)}, and the form says {', '.join(confirmed)}. "
                "Nothing was built: correct 'Regions' or 'Distribution configuration'."
            )
        return regions

    image = ImageBuilderTaskGroup(
        "image",
        image_recipe_arn=PREFIX + ":image-recipe/{{ params.image }}/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=DISTRIBUTION,
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[
            TestGroup(name, (Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1"),)) for name in TESTS
        ],
        # Empty text runs all tests.
        run_tests="{{ (params.tests | tojson) if params.tests else '' }}",
        tags={"baked-by": "airflow", "reason": "{{ params.reason }}"},
        timeout=timedelta(hours=4),
        default_args={"retries": 1, "retry_delay": timedelta(minutes=1)},
    )
    confirm(DISTRIBUTION, PREFIX) >> image
