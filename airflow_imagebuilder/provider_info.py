"""What Airflow discovers about this provider. Imports nothing of the package, so discovery is cheap."""

from __future__ import annotations

from typing import Any

NAME = "EC2 Image Builder"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description in the shape of Airflow's provider schema."""
    return {
        "package-name": "airflow-imagebuilder",
        "name": NAME,
        "description": "Golden images baked, tested and distributed by EC2 Image Builder.",
        "integrations": [
            {
                "integration-name": NAME,
                "external-doc-url": "https://docs.aws.amazon.com/imagebuilder/",
                "tags": ["aws"],
            }
        ],
        "hooks": [{"integration-name": NAME, "python-modules": ["airflow_imagebuilder.hooks"]}],
        "operators": [{"integration-name": NAME, "python-modules": _OPERATORS}],
        "sensors": [{"integration-name": NAME, "python-modules": ["airflow_imagebuilder.sensors"]}],
        "triggers": [{"integration-name": NAME, "python-modules": ["airflow_imagebuilder.triggers"]}],
        "extra-links": [
            "airflow_imagebuilder.links.ImageBuildLink",
            "airflow_imagebuilder.links.ImageBuilderImagesLink",
            "airflow_imagebuilder.links.ImageBuilderLogLink",
            "airflow_imagebuilder.links.ImageBuilderPipelinesLink",
            "airflow_imagebuilder.links.ImageBuilderInspectorLink",
            "airflow_imagebuilder.links.ImageBuilderGoldenAmiLink",
        ],
        "asset-uris": [{"schemes": ["imagebuilder"], "handler": "airflow_imagebuilder.assets.sanitize_uri"}],
        "config": {"imagebuilder": {"description": "How images are watched.", "options": _OPTIONS}},
    }


_OPERATORS = [
    f"airflow_imagebuilder.operators.{noun}"
    for noun in (
        "create_image",
        "start_pipeline",
        "await_image",
        "monitor_workflow",
        "gates.needs_build",
        "gates.scan_gate",
        "gates.verify_outputs",
    )
]


def _number(description: str, default: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "float",
        "example": None,
        "default": default,
    }


_OPTIONS: dict[str, dict[str, Any]] = {
    "poll_interval": _number(
        "Seconds between two polls of an image, however many tasks wait for it. A wait ends at most this "
        "many seconds after its image.",
        "30",
    ),
    "max_calls_per_second": _number(
        "Calls per second to Image Builder, for all waits of a triggerer process together.", "10"
    ),
    "first_look": _number(
        "Minimum seconds that a deferred task waits. Airflow can fail a task that resumes within its first "
        "seconds, so do not set less than 5.",
        "5",
    ),
    "call_timeout": _number("Seconds after which a call without an answer is repeated later.", "20"),
    "max_connections": _number("Maximum calls in flight at the same time, per connection and region.", "10"),
    "grace": _number(
        "Seconds for which AWS may answer that an image is forbidden or not found before its tasks fail.",
        "30",
    ),
    "queue_url": {
        "description": "URL of an SQS queue to which an EventBridge rule sends the ends of images, so that a "
        "wait ends within a second or two and not at its next poll. Each triggerer needs a queue of its own: "
        "{hostname} is replaced by the name of its host. If it is empty, images are polled alone.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "https://sqs.us-east-1.amazonaws.com/123456789012/imagebuilder-{hostname}",
        "default": "",
    },
    "instance_prices": {
        "description": "Price per hour of each instance type that builds or tests images, as a JSON object. "
        "The pages in Airflow's UI then show what the build minutes of an image cost; if it is empty, they "
        "show the minutes alone.",
        "version_added": "0.1.0",
        "type": "string",
        "example": '{"m6i.large": 0.096, "c6i.xlarge": 0.17}',
        "default": "",
    },
    "prices_currency": {
        "description": "Currency of instance_prices, as it is shown.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "EUR",
        "default": "USD",
    },
}
