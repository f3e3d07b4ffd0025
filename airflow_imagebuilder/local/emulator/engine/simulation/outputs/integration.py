"""What follows the copies of an AMI: launch permissions, parameters, launch templates.

Source: API reference, ``DistributionFailure`` for the steps; User Guide, "Supported step actions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

#: The members of a distribution that AWS handles after the copy, with their ``imageConfigurationStep``.
CONFIGURATION_STEPS = {
    "licenseConfigurationArns": "ASSOCIATE_LICENSES",
    "launchTemplateConfigurations": "UPDATE_LAUNCH_TEMPLATES",
    "ssmParameterConfigurations": "PUT_SSM_PARAMETERS",
    "fastLaunchConfigurations": "UPDATE_FAST_LAUNCH_CONFIGURATIONS",
    "s3ExportConfiguration": "EXPORT_AMI",
}
_PERMISSIONS = {
    "userIds": "UserId",
    "userGroups": "Group",
    "organizationArns": "OrganizationArn",
    "organizationalUnitArns": "OrganizationalUnitArn",
}


#: The role that Image Builder assumes in the target accounts of a distribution.
CROSS_ACCOUNT_ROLE = "EC2ImageBuilderDistributionCrossAccountRole"


def role_missing(image: Image, account: str) -> str:
    """Return why an account cannot get a copy: it lacks the role (User Guide, "Set up cross-account")."""
    resource = f"arn:aws:iam::{account}:role/{CROSS_ACCOUNT_ROLE}"
    return f"AccessDenied: {_denied(image.account)} sts:AssumeRole on resource: {resource}"


def _denied(account: str) -> str:
    role = (
        f"arn:aws:sts::{account}:assumed-role/AWSServiceRoleForImageBuilder/Ec2ImageBuilderIntegrationService"
    )
    return f"User: {role} is not authorized to perform:"


class Integration:
    """Gives launch permissions, and puts AMIs into parameters and launch templates."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context

    def share(self, image: Image, region: str, permission: Doc) -> None:
        """Give launch permissions to the AMI of a region.

        :param permission: ``LaunchPermissionConfiguration``.
        """
        ami = image.copies.get(f"{region}/{image.account}")
        allowed = [{key: value} for name, key in _PERMISSIONS.items() for value in permission.get(name, ())]
        if ami and allowed:
            self._context.emit("launch_permission", region, {"ami": ami, "allowed": allowed})

    def configure(self, image: Image, items: list[Doc]) -> list[Failure]:
        """Carry out the configurations of some regions.

        :param items: ``Distribution`` of each region.
        :return: the failures.
        """
        failures = self._context.behaviour.region_failures(
            image, {item["region"] for item in items}, integrating=True
        )
        failed = {(failure.region, failure.configuration_step) for failure in failures}
        for item in items:
            if (item["region"], "PUT_SSM_PARAMETERS") not in failed:
                failures += self._put_parameters(image, item)
            if (item["region"], "UPDATE_LAUNCH_TEMPLATES") not in failed:
                failures += self._update_templates(image, item)
        return failures

    def _put_parameters(self, image: Image, item: Doc) -> list[Failure]:
        """Put each parameter; the service-linked role may only put those below ``/imagebuilder/``.

        Source: AWS's skill for Image Builder; the policy AWSServiceRoleForImageBuilder.
        """
        failures = []
        for given in item.get("ssmParameterConfigurations", ()):
            account, name = given.get("amiAccountId", image.account), given["parameterName"].lstrip("/")
            if not name.startswith("imagebuilder/") and not image.doc.get("executionRole"):
                why = f"ssm:PutParameter on resource: arn:aws:ssm:{item['region']}:{account}:parameter/{name}"
                failures.append(
                    Failure(
                        region=item["region"],
                        account=account,
                        configuration_step="PUT_SSM_PARAMETERS",
                        message=f"{_denied(image.account)} {why}",
                    )
                )
                continue
            data = {
                "account": account,
                "name": given["parameterName"],
                "value": image.copies.get(f"{item['region']}/{account}", image.ami),
                "type": given.get("dataType", "aws:ec2:image"),
            }
            self._context.emit("parameter", item["region"], data)
        return failures

    def _update_templates(self, image: Image, item: Doc) -> list[Failure]:
        """Make a version of each launch template; a template that does not exist fails the region."""
        region, failures = item["region"], []
        for given in item.get("launchTemplateConfigurations", ()):
            template, account = given["launchTemplateId"], given.get("accountId", image.account)
            if not self._context.world.in_account(account).has_launch_template(region, template):
                failures.append(
                    Failure(
                        region=region,
                        configuration_step="UPDATE_LAUNCH_TEMPLATES",
                        message=f"The specified launch template, with ID {template}, does not exist.",
                    )
                )
                continue
            data = {
                "id": template,
                "account": account,
                "ami": image.copies.get(f"{region}/{account}", image.ami),
                "default": given.get("setDefaultVersion", True),
            }
            self._context.emit("launch_template", region, data)
        return failures
