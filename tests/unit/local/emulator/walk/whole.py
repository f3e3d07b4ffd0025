"""Requests with every member that the model has."""

from __future__ import annotations

from typing import Any

from tests.support.bench import HEAD

ROLE = "ImageBuilderExecution"
TAGS = {"team": "platform"}
TOPIC = "arn:aws:sns:us-east-1:123456789012:images"
KEY = "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888"
DISK = {
    "deviceName": "/dev/xvda",
    "virtualName": "ephemeral0",
    "noDevice": "",
    "ebs": {
        "encrypted": True,
        "deleteOnTermination": True,
        "iops": 3000,
        "kmsKeyId": KEY,
        "snapshotId": "snap-0123456789abcdef0",
        "volumeSize": 30,
        "volumeType": "gp3",
        "throughput": 125,
    },
}
POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"},'
    ' "Action": "imagebuilder:GetImage", "Resource": "*"}]}'
)
BUILD = """
name: whole
schemaVersion: 1.0
parameters:
  - {name: wait, type: string, default: ssmAgent, description: What the launch waits for}
steps:
  - {name: Launch, action: LaunchInstance, description: An instance, inputs: {waitFor: ssmAgent}}
  - {name: Apply, action: ExecuteComponents, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Collect, action: CollectImageMetadata, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Make, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
"""
TEST = """
name: whole
schemaVersion: 1.0
steps:
  - {name: Launch, action: LaunchInstance, description: An instance, inputs: {waitFor: ssmAgent}}
  - {name: Approve, action: WaitForAction, description: A person decides, onFailure: Abort}
"""
DISTRIBUTION = """
name: whole
schemaVersion: 1.0
steps:
  - {name: Copy, action: DistributeImage}
  - name: Share
    action: ModifyImageAttributes
    inputs: {distributedImages.$: $.stepOutputs.Copy.distributedImages}
"""
COMPONENT = """
name: whole
schemaVersion: 1.0
parameters:
  - Level: {type: string, default: high, description: How strict}
phases:
  - name: build
    steps:
      - {name: Run, action: ExecuteBash, inputs: {commands: ['true']}}
"""
TESTS_CONFIGURATION = {"imageTestsEnabled": True, "timeoutMinutes": 90}
SCANNING = {
    "imageScanningEnabled": True,
    "ecrConfiguration": {"repositoryName": "scans", "containerTags": ["latest"]},
    "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
    "scanResultCondition": {"maximumSeverityLabel": "HIGH", "fixAvailable": True},
}
TEMPLATE = {
    "launchTemplateId": "lt-0123456789abcdef0",
    "launchTemplateName": "",
    "launchTemplateVersion": "1",
}
AMIS = {
    "region": "us-east-1",
    "amiDistributionConfiguration": {
        "name": "whole {{ imagebuilder:buildDate }}",
        "description": "An image",
        "targetAccountIds": ["111122223333"],
        "amiTags": TAGS,
        "kmsKeyId": KEY,
        "launchPermission": {
            "userIds": ["111122223333"],
            "userGroups": ["all"],
            "organizationArns": ["arn:aws:organizations::123456789012:organization/o-1234567890"],
            "organizationalUnitArns": [
                "arn:aws:organizations::123456789012:ou/o-1234567890/ou-1234-12345678"
            ],
        },
    },
    "licenseConfigurationArns": [
        "arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-0123456789abcdef0123456789abcdef"
    ],
    "launchTemplateConfigurations": [
        {"launchTemplateId": "lt-0123456789abcdef0", "accountId": "123456789012", "setDefaultVersion": True}
    ],
    "s3ExportConfiguration": {
        "roleName": "Export",
        "diskImageFormat": "VHD",
        "s3Bucket": "exports",
        "s3Prefix": "images/",
    },
    "fastLaunchConfigurations": [
        {
            "enabled": True,
            "snapshotConfiguration": {"targetResourceCount": 2},
            "maxParallelLaunches": 6,
            "launchTemplate": {
                "launchTemplateId": "lt-0123456789abcdef0",
                "launchTemplateName": "fleet",
                "launchTemplateVersion": "1",
            },
            "accountId": "123456789012",
        }
    ],
    "ssmParameterConfigurations": [
        {"amiAccountId": "123456789012", "parameterName": "/whole", "dataType": "aws:ec2:image"}
    ],
}
CONTAINERS = {
    "region": "us-east-1",
    "containerDistributionConfiguration": {
        "description": "An image",
        "containerTags": ["latest"],
        "targetRepository": {"service": "ECR", "repositoryName": "whole"},
    },
}
INFRASTRUCTURE: dict[str, Any] = {
    "description": "Builds",
    "instanceTypes": ["t3.large"],
    "instanceProfileName": "EC2InstanceProfileForImageBuilder",
    "securityGroupIds": ["sg-0123456789abcdef0"],
    "subnetId": "subnet-0123456789abcdef0",
    "logging": {"s3Logs": {"s3BucketName": "logs", "s3KeyPrefix": "builds"}},
    "keyPair": "builds",
    "terminateInstanceOnFailure": False,
    "terminateInstanceOnCompletion": False,
    "snsTopicArn": TOPIC,
    "resourceTags": TAGS,
    "instanceMetadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2},
    "placement": {
        "availabilityZone": "us-east-1a",
        "tenancy": "host",
        "hostId": "h-0123456789abcdef0",
    },
    "parentInstance": {"autoScalingGroup": {"name": "builders", "capacityWaitTimeoutSeconds": 60}},
}
#: The members of ``placement`` that exclude ``hostId``.
HOST_GROUP: dict[str, Any] = {
    **INFRASTRUCTURE,
    "placement": {
        "tenancy": "host",
        "hostResourceGroupArn": "arn:aws:resource-groups:us-east-1:123456789012:group/hosts",
    },
}
SCHEDULE = {
    "scheduleExpression": "rate(1 day)",
    "timezone": "Europe/Berlin",
    "pipelineExecutionStartCondition": "EXPRESSION_MATCH_ONLY",
    "autoDisablePolicy": {"failureCount": 2},
}
EXCLUSIONS = {
    "isPublic": True,
    "regions": ["eu-central-1"],
    "sharedAccounts": ["444455556666"],
    "lastLaunched": {"value": 1, "unit": "DAYS"},
    "tagMap": {"keep": "yes"},
}


def rule(action: str, **include: bool) -> dict[str, Any]:
    """Return a rule of a lifecycle policy with every member."""
    return {
        "action": {"type": action, "includeResources": include},
        "filter": {"type": "AGE", "value": 1, "unit": "DAYS", "retainAtLeast": 1},
        "exclusionRules": {"tagMap": {"keep": "yes"}, "amis": EXCLUSIONS},
    }


def policy(name: str, recipe: str, *rules: dict[str, Any], kind: str = "AMI_IMAGE") -> dict[str, Any]:
    """Return the request of a lifecycle policy for a recipe."""
    return {
        "name": name,
        "description": "Daily",
        "status": "ENABLED",
        "executionRole": "arn:aws:iam::123456789012:role/Tidy",
        "resourceType": kind,
        "policyDetails": list(rules),
        "resourceSelection": {"recipes": [{"name": recipe, "semanticVersion": "1.x.x"}]},
        "tags": TAGS,
    }


def component(name: str, **more: Any) -> dict[str, Any]:
    """Return the request of a component."""
    return {
        "name": name,
        "semanticVersion": "1.0.0",
        "description": "Hardens",
        "changeDescription": "First",
        "platform": "Linux",
        "supportedOsVersions": ["Amazon Linux 2023"],
        "data": COMPONENT,
        "kmsKeyId": KEY,
        "tags": TAGS,
        **more,
    }


def workflow(kind: str, data: str) -> dict[str, Any]:
    """Return the request of a workflow."""
    return {
        "name": "whole",
        "type": kind,
        "semanticVersion": "1.0.0",
        "description": "Everything",
        "changeDescription": "First",
        "data": data,
        "kmsKeyId": KEY,
        "tags": TAGS,
    }


def image_recipe(component_arn: str) -> dict[str, Any]:
    """Return the request of an image recipe."""
    return {
        "name": "whole",
        "semanticVersion": "1.0.0",
        "description": "Everything",
        "components": [
            {"componentArn": component_arn, "parameters": [{"name": "Level", "value": ["low"]}]},
        ],
        "parentImage": f"{HEAD.replace('123456789012', 'aws')}image/amazon-linux-2023-x86/x.x.x",
        "blockDeviceMappings": [DISK],
        "tags": TAGS,
        "workingDirectory": "/work",
        "additionalInstanceConfiguration": {
            "systemsManagerAgent": {"uninstallAfterBuild": True},
            "userDataOverride": "IyEvYmluL3NoCg==",
        },
        "amiTags": TAGS,
        "amiWatermarks": ["golden"],
    }


def container_recipe(component_arn: str) -> dict[str, Any]:
    """Return the request of a container recipe."""
    return {
        "name": "whole",
        "semanticVersion": "1.0.0",
        "containerType": "DOCKER",
        "description": "Everything",
        "components": [
            {"componentArn": component_arn, "parameters": [{"name": "Level", "value": ["low"]}]},
        ],
        "instanceConfiguration": {"image": "ami-0123456789abcdef0", "blockDeviceMappings": [DISK]},
        "dockerfileTemplateData": "FROM {{{ imagebuilder:parentImage }}}\n",
        "parentImage": "amazonlinux:2023",
        "tags": TAGS,
        "workingDirectory": "/work",
        "targetRepository": {"service": "ECR", "repositoryName": "whole"},
        "kmsKeyId": KEY,
    }


def build(
    kind: str, recipe: str, infrastructure: str, distribution: str, stages: dict[str, str]
) -> dict[str, Any]:
    """Return what CreateImage and CreateImagePipeline have in common.

    :param kind: ``imageRecipeArn`` or ``containerRecipeArn``.
    :param stages: ARN of the workflow of each type.
    """
    workflows: list[dict[str, Any]] = [{"workflowArn": arn} for name, arn in stages.items() if name != "TEST"]
    if "TEST" in stages:
        test = {"workflowArn": stages["TEST"], "parallelGroup": "tests", "onFailure": "CONTINUE"}
        workflows.insert(1, test)
    if "BUILD" in stages:
        workflows[0]["parameters"] = [{"name": "wait", "value": ["ssmAgent"]}]
    return {
        kind: recipe,
        "infrastructureConfigurationArn": infrastructure,
        "distributionConfigurationArn": distribution,
        "imageTestsConfiguration": TESTS_CONFIGURATION,
        "enhancedImageMetadataEnabled": True,
        "tags": TAGS,
        "imageScanningConfiguration": SCANNING,
        "workflows": workflows,
        "executionRole": ROLE,
    }
