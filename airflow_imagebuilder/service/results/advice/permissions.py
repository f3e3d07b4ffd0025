"""Known reasons of failures that concern permissions, keys and the resources that a role can use."""

from __future__ import annotations

from airflow_imagebuilder.service.results.advice.reason import (
    DENIED,
    DISTRIBUTION_GUIDE,
    EC2,
    GONE,
    GUIDE,
    NOT_DISTRIBUTING,
    TROUBLE,
    Mark,
    Reason,
)

PERMISSIONS: tuple[Reason, ...] = (
    Reason(
        name="service-role-send-command",
        message=(
            r"AWSServiceRoleForImageBuilder.{0,200}ssm:SendCommand|"
            r"ssm:SendCommand.{0,300}AWSServiceRoleForImageBuilder"
        ),
        cause="The service-linked role may not run this SSM document.",
        advice=(
            "Use an execution role of your own, with EC2ImageBuilderExecutionPolicy and the permission "
            "ssm:SendCommand for this document."
        ),
        mark=Mark.SEEN,
        source="https://github.com/SummitRoute/aws_managed_policies/issues/6",
    ),
    Reason(
        name="inspector-classic",
        message=(
            r"inspector:CreateResourceGroup|CreateResourceGroup.{0,200}(?:denied|not authorized)|"
            r"denied.{0,200}CreateResourceGroup"
        ),
        cause=(
            "The component inspector-test-linux (or -windows) calls Inspector Classic, which AWS has retired."
        ),
        advice="Remove it from the recipe, and scan with imageScanningConfiguration instead.",
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
    ),
    Reason(
        name="ecr",
        message=(
            rf"ecr:\w+|(?:denied|not authorized).{{0,80}}(?:\becr\b|repository)|RepositoryNotFound|"
            rf"repository.{{0,120}}(?:{GONE}|denied)"
        ),
        cause="The container could not be pushed to or pulled from ECR.",
        advice=(
            "Attach EC2InstanceProfileForImageBuilderECRContainerBuilds to the role of the instance "
            "profile, and create the target repository in each Region."
        ),
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
    ),
    Reason(
        name="pass-role",
        message=r"iam:PassRole",
        cause="The caller may not pass a role to the service.",
        advice=(
            "Allow it iam:PassRole for the role that the message names; the caller is the execution role, "
            "or the credentials of the Airflow connection."
        ),
        mark=Mark.TEXT_GUESSED,
        source="IAM's general rule; no public report of Image Builder was found",
    ),
    Reason(
        name="notify",
        message=(
            r"sns:Publish|lambda:InvokeFunction|(?:topic|lambda|function).{0,120}(?:denied|not authorized)"
        ),
        cause=(
            "WaitForAction could not notify: it publishes to the topic, and calls the function, as the "
            "execution role."
        ),
        advice="Allow that role sns:Publish (and the topic's KMS key) or lambda:InvokeFunction.",
        mark=Mark.DOCUMENTED,
        source="https://github.com/aws-samples/amazon-ec2-image-builder-samples, approval-gate",
    ),
    Reason(
        name="kms",
        message=(
            r"\bkms:\w+|\bKMS\b.{0,80}\b(?:key|access|denied|disabled)|InvalidKMSKey|KMSKeyNotAccessible|"
            r"KMS\w*Exception|(?:key|CMK).{0,60}(?:pending deletion|is disabled)|Client error on launch|"
            r"Client\.InvalidKMSKey|Client\.InternalError"
        ),
        cause="A KMS key could not be used, most often that of an encrypted volume.",
        advice=(
            "The key must exist in this Region and be enabled. Its policy must allow the role of the build "
            "(service-linked or execution role) to use it and to create grants (kms:CreateGrant); for "
            "copies, the target accounts too."
        ),
        mark=Mark.GUESSED,
        source=f"{EC2}; the KMS part of a copy: {DISTRIBUTION_GUIDE}",
    ),
    Reason(
        name="logs-bucket",
        message=(
            r"s3:PutObject|AccessDenied: Access Denied.{0,20}status code: 403|NoSuchBucket|"
            r"bucket.{0,120}(?:does not exist|denied|not found)|"
            r"(?:upload|log).{0,80}\bS3\b.{0,120}(?:fail|denied)"
        ),
        cause=(
            "The instance may not read from Image Builder, or may not write its logs to the S3 bucket of "
            "the infrastructure configuration."
        ),
        advice=(
            "Attach EC2InstanceProfileForImageBuilder to the role of the instance profile, and allow it "
            "s3:PutObject on that bucket, which must exist."
        ),
        mark=Mark.DOCUMENTED,
        source=GUIDE,
    ),
    Reason(
        name="parent-image",
        message=(
            rf"Not authorized for images?|InvalidAMIID|image ids?\b.{{0,200}}(?:{GONE})|"
            rf"\b(?:parent|base|source) (?:image|AMI)\b.{{0,200}}(?:{GONE}|not available|"
            r"unavailable|deregistered)|"
            rf"\bami-[0-9a-f]+.{{0,80}}(?:{GONE}|not available|unavailable|deregistered)"
        ),
        cause="The parent image is gone: its AMI was deregistered, or is no longer shared with this account.",
        advice=(
            "Use another parent image in a new version of the recipe. An ssm: parameter, or an Image "
            "Builder ARN with x.x.x, is resolved for each build."
        ),
        mark=Mark.TEXT_GUESSED,
        source=f"{TROUBLE} for the cause; the texts are those of EC2",
        where=NOT_DISTRIBUTING,
    ),
    Reason(
        name="marketplace",
        message=r"OptInRequired|AWS Marketplace|accept (?:the )?terms",
        cause="The parent image is a product of AWS Marketplace, and this account has not subscribed to it.",
        advice="Accept its terms in AWS Marketplace, with this account.",
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="scan-findings",
        message=(
            r"scan\w*.{0,40}(?:finding|condition|result)|findings?.{0,80}(?:exceed|above|"
            r"severity|threshold)"
        ),
        cause="The scan found more vulnerabilities than are allowed.",
        advice=(
            "Read the findings (aws imagebuilder list-image-scan-findings), update the packages that the "
            "findings name, and build again."
        ),
        mark=Mark.GUESSED,
        source="CreateImage's imageScanningConfiguration in the API; the text was not found",
        where=r"stage=TESTING",
    ),
    Reason(
        name="not-authorized",
        message=DENIED,
        cause="A role lacks the permission for the action that the message names.",
        advice=(
            "The message names the role too, or the step shows which it is: a workflow step acts as the "
            "execution role (without one, as AWSServiceRoleForImageBuilder), a component's command as the "
            "role of the instance profile. Allow the action for that role; check the organization's "
            "policies (SCP) as well."
        ),
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
    ),
)
"""A role lacks a permission, or cannot use a resource; the last entry fits every denial."""
