"""Known reasons of failures in the distribution of an image."""

from __future__ import annotations

from airflow_imagebuilder.service.results.advice.reason import DISTRIBUTION_GUIDE, EC2, GONE, Mark, Reason

DISTRIBUTION: tuple[Reason, ...] = (
    Reason(
        name="public-blocked",
        message=r"publicly share this image|block public access for (?:AMIs|images)",
        cause="This account blocks public AMIs.",
        advice=(
            "Share the AMI with account ids or with the organization (launchPermission), or lift EC2's "
            "block public access for AMIs if it is meant to be public."
        ),
        mark=Mark.SEEN,
        source="https://github.com/aws-deepracer-community/deepracer-on-the-spot/issues/106",
    ),
    Reason(
        name="aws-managed-key",
        message=r"AWS.managed (?:CMK|KMS key|key).{0,60}shared|encrypted with the AWS.managed",
        cause="The snapshot is encrypted with the account's default EBS key, which no other account can use.",
        advice=(
            "Name a customer managed KMS key in the recipe's blockDeviceMappings, in a new version of the "
            "recipe, and build it."
        ),
        mark=Mark.DOCUMENTED,
        source=DISTRIBUTION_GUIDE,
    ),
    Reason(
        name="ssm-parameter",
        message=r"ssm:PutParameter|PUT_SSM_PARAMETERS",
        cause=(
            "The SSM parameter could not be written: the service-linked role writes below /imagebuilder/ "
            "only."
        ),
        advice=(
            "Rename the parameter, or use an execution role that allows ssm:PutParameter (and "
            "ec2:DescribeImages). The AMI exists already, so you can also set the parameter by hand."
        ),
        mark=Mark.DOCUMENTED,
        source=DISTRIBUTION_GUIDE,
    ),
    Reason(
        name="cross-account-role",
        message=r"EC2ImageBuilderDistributionCrossAccountRole",
        cause="Image Builder cannot assume EC2ImageBuilderDistributionCrossAccountRole in a target account.",
        advice=(
            "Each target account needs this role, with the policy "
            "Ec2ImageBuilderCrossAccountDistributionAccess and with a trust policy that names the account "
            "of the build."
        ),
        mark=Mark.DOCUMENTED,
        source=DISTRIBUTION_GUIDE,
    ),
    Reason(
        name="assume-role",
        message=r"sts:AssumeRole|(?:unable|cannot|can.t|could not|not allowed|failed) (?:to )?assume",
        cause="A role cannot be assumed.",
        advice=(
            "The trust policy of an execution role must name imagebuilder.amazonaws.com; "
            "EC2ImageBuilderDistributionCrossAccountRole must exist in each target account and trust the "
            "account of the build."
        ),
        mark=Mark.DOCUMENTED,
        source=DISTRIBUTION_GUIDE,
    ),
    Reason(
        name="ami-copy",
        message=r"AMI copy reported failure|copy.{0,40}(?:AMI|image) .{0,80}fail|ec2:CopyImage|CopySnapshot",
        cause="The image is built, its AMI may exist already, but a copy of it failed.",
        advice=(
            "A target account needs EC2ImageBuilderDistributionCrossAccountRole, a launchPermission that "
            "lists it beside targetAccountIds, and the permission to use the KMS key of the AMI."
        ),
        mark=Mark.SEEN,
        source="https://github.com/aws-samples/cdk-image-pipeline/pull/76",
    ),
    Reason(
        name="ami-name",
        message=(
            r"AMI name.{0,200}in use|InvalidAMIName\.Duplicate|(?:name|"
            r"AMI).{0,160}is already in use by (?:an )?(?:AMI|image)"
        ),
        cause="Another AMI has this name.",
        advice=(
            "Put {{ imagebuilder:buildDate }} into the AMI name of the distribution configuration "
            "(amiDistributionConfiguration.name), so that each build has its own name; or deregister the "
            "other AMI."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="launch-template",
        message=rf"launch.?template.{{0,120}}(?:{GONE}|invalid)|InvalidLaunchTemplate|UPDATE_LAUNCH_TEMPLATES",
        cause="The image is built, its AMI may exist already, but the launch template could not be updated.",
        advice="Check its id and account in the distribution configuration: it must exist in that Region.",
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="license",
        message=r"license.?(?:manager|configuration)|ASSOCIATE_LICENSES",
        cause=(
            "The image is built, its AMI may exist already, but its license configuration could not be "
            "associated."
        ),
        advice=(
            "Check licenseConfigurationArns in the distribution configuration, and the permission to use "
            "them."
        ),
        mark=Mark.GUESSED,
        source="RegionFailure.imageConfigurationStep of the API; no public report was found",
    ),
)
"""Failures of the AMIs of an image that is built."""
