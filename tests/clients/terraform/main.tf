# Every resource and data source of Image Builder in Terraform's AWS provider, made as one stack.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "note" {
  description = "Changes what can be changed in place."
  default     = "first"
}

variable "command" {
  description = "Changes a document, and so replaces its component."
  default     = "true"
}

provider "aws" {
  region                      = "us-east-1"
  skip_metadata_api_check     = true
  skip_credentials_validation = true
}

locals {
  managed = "arn:aws:imagebuilder:us-east-1:aws"
}

resource "aws_iam_role" "own" {
  name = "own"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "imagebuilder.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "own" {
  name = "own"
  role = aws_iam_role.own.name
}

resource "aws_sns_topic" "own" {
  name = "own"
}

resource "aws_ecr_repository" "own" {
  name         = "own"
  force_delete = true
}

resource "aws_imagebuilder_component" "own" {
  name     = "Own Component"
  platform = "Linux"
  version  = "1.0.0"
  data = yamlencode({
    schemaVersion = 1.0
    parameters    = [{ Level = { type = "string", default = "high" } }]
    phases = [{
      name  = "build"
      steps = [{ name = "Run", action = "ExecuteBash", inputs = { commands = ["true"] } }]
    }]
  })
  supported_os_versions = ["Amazon Linux"]
  tags                  = { note = var.note }
}

resource "aws_imagebuilder_component" "test" {
  name     = "own-test"
  platform = "Linux"
  version  = "1.0.0"
  data = jsonencode({
    schemaVersion = 1.0
    phases        = [{ name = "test", steps = [{ name = "build", action = "ExecuteBash", inputs = { commands = ["true"] } }] }]
  })
}

resource "aws_imagebuilder_component" "spare" {
  name     = "own-spare"
  platform = "Windows"
  version  = "1.0.0"
  data = yamlencode({
    schemaVersion = 1.0
    phases        = [{ name = "validate", steps = [{ name = "Run", action = "ExecutePowerShell", inputs = { commands = [var.command] } }] }]
  })
}

resource "aws_imagebuilder_workflow" "build" {
  name    = "own-build"
  type    = "BUILD"
  version = "1.0.0"
  data    = <<-EOT
    name: own-build
    schemaVersion: 1.0
    parameters:
      - {name: note, type: string}
    steps:
      - name: Launch
        action: LaunchInstance
        inputs: {waitFor: ssmAgent}
      - name: Update
        action: RunCommand
        inputs:
          documentName: AWS-UpdateSSMAgent
          instanceId.$: $.stepOutputs.Launch.instanceId
          parameters: {allowDowngrade: ["false"]}
      - name: Make
        action: CreateImage
        if: {stringEquals: AMI, value: $.imagebuilder.imageType}
        inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
    outputs:
      - {name: ImageId, value: $.stepOutputs.Make.imageId}
  EOT
}

resource "aws_imagebuilder_workflow" "test" {
  name    = "own-test"
  type    = "TEST"
  version = "1.0.0"
  tags    = { note = var.note }
  data    = <<-EOT
    schemaVersion: 1.0
    steps:
      - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  EOT
}

resource "aws_imagebuilder_image_recipe" "own" {
  name         = "own"
  version      = "1.0.0"
  parent_image = "${local.managed}:image/amazon-linux-2023-x86/x.x.x"
  description  = "made by Terraform"
  component {
    component_arn = aws_imagebuilder_component.own.arn
    parameter {
      name  = "Level"
      value = "low"
    }
  }
  component {
    component_arn = "${local.managed}:component/update-linux/x.x.x"
  }
  component {
    component_arn = aws_imagebuilder_component.test.arn
  }
  block_device_mapping {
    device_name = "/dev/xvda"
    ebs {
      delete_on_termination = true
      volume_size           = 30
      volume_type           = "gp3"
    }
  }
  systems_manager_agent {
    uninstall_after_build = true
  }
  tags = { note = var.note }
}

resource "aws_imagebuilder_container_recipe" "own" {
  name                     = "own-container"
  version                  = "1.0.0"
  container_type           = "DOCKER"
  parent_image             = "${local.managed}:image/amazon-linux-x86-latest/x.x.x"
  dockerfile_template_data = <<-EOT
    FROM {{{ imagebuilder:parentImage }}}
    {{{ imagebuilder:environments }}}
    {{{ imagebuilder:components }}}
  EOT
  component {
    component_arn = "${local.managed}:component/hello-world-linux/x.x.x"
  }
  target_repository {
    repository_name = aws_ecr_repository.own.name
    service         = "ECR"
  }
}

resource "aws_imagebuilder_infrastructure_configuration" "own" {
  name                          = "own"
  description                   = var.note
  instance_profile_name         = aws_iam_instance_profile.own.name
  instance_types                = ["m5.large", "m5.xlarge"]
  sns_topic_arn                 = aws_sns_topic.own.arn
  terminate_instance_on_failure = true
  instance_metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }
  resource_tags = { Team = "platform" }
}

resource "aws_imagebuilder_distribution_configuration" "own" {
  name        = "own"
  description = var.note
  distribution {
    region = "us-east-1"
    ami_distribution_configuration {
      name     = "own {{ imagebuilder:buildDate }}"
      ami_tags = { Note = var.note }
      launch_permission {
        user_ids = ["111122223333"]
      }
    }
  }
  distribution {
    region = "eu-west-1"
    ami_distribution_configuration {
      name = "own {{ imagebuilder:buildDate }}"
    }
    ssm_parameter_configuration {
      parameter_name = "/imagebuilder/own"
      data_type      = "aws:ec2:image"
    }
  }
}

resource "aws_imagebuilder_image_pipeline" "own" {
  name                             = "own"
  description                      = var.note
  image_recipe_arn                 = aws_imagebuilder_image_recipe.own.arn
  infrastructure_configuration_arn = aws_imagebuilder_infrastructure_configuration.own.arn
  distribution_configuration_arn   = aws_imagebuilder_distribution_configuration.own.arn
  execution_role                   = aws_iam_role.own.arn
  image_scanning_configuration {
    image_scanning_enabled = true
  }
  image_tests_configuration {
    image_tests_enabled = true
    timeout_minutes     = 90
  }
  schedule {
    schedule_expression = "cron(0 6 ? * MON *)"
    timezone            = "Europe/Berlin"
  }
  workflow {
    workflow_arn = aws_imagebuilder_workflow.build.arn
    parameter {
      name  = "note"
      value = "x"
    }
  }
  workflow {
    workflow_arn   = aws_imagebuilder_workflow.test.arn
    on_failure     = "CONTINUE"
    parallel_group = "own"
  }
}

resource "aws_imagebuilder_image_pipeline" "container" {
  name                             = "own-container"
  container_recipe_arn             = aws_imagebuilder_container_recipe.own.arn
  infrastructure_configuration_arn = aws_imagebuilder_infrastructure_configuration.own.arn
  schedule {
    schedule_expression                = "cron(0 0 * * ? *)"
    pipeline_execution_start_condition = "EXPRESSION_MATCH_ONLY"
  }
}

resource "aws_imagebuilder_image" "own" {
  image_recipe_arn                 = aws_imagebuilder_image_recipe.own.arn
  infrastructure_configuration_arn = aws_imagebuilder_infrastructure_configuration.own.arn
  distribution_configuration_arn   = aws_imagebuilder_distribution_configuration.own.arn
  tags                             = { note = var.note }
}

resource "aws_imagebuilder_lifecycle_policy" "own" {
  name           = "own"
  description    = var.note
  execution_role = aws_iam_role.own.arn
  resource_type  = "AMI_IMAGE"
  policy_detail {
    action {
      type = "DELETE"
      include_resources {
        amis      = true
        snapshots = true
      }
    }
    filter {
      type            = "AGE"
      value           = 6
      unit            = "MONTHS"
      retain_at_least = 5
    }
    exclusion_rules {
      amis {
        is_public = false
        regions   = ["eu-west-1"]
        tag_map   = { Keep = "yes" }
        last_launched {
          unit  = "WEEKS"
          value = 2
        }
      }
    }
  }
  resource_selection {
    recipe {
      name             = aws_imagebuilder_image_recipe.own.name
      semantic_version = "1.0.0"
    }
  }
}

data "aws_imagebuilder_component" "managed" {
  arn = "${local.managed}:component/update-linux/x.x.x"
}

data "aws_imagebuilder_components" "amazon" {
  owner = "Amazon"
  filter {
    name   = "platform"
    values = ["Windows"]
  }
}

data "aws_imagebuilder_image" "managed" {
  arn = "${local.managed}:image/amazon-linux-2-x86/x.x.x"
}

data "aws_imagebuilder_image" "own" {
  arn = aws_imagebuilder_image.own.arn
}

data "aws_imagebuilder_image_recipe" "own" {
  arn = aws_imagebuilder_image_recipe.own.arn
}

data "aws_imagebuilder_image_recipes" "own" {
  owner = "Self"
  filter {
    name   = "name"
    values = [aws_imagebuilder_image_recipe.own.name]
  }
}

data "aws_imagebuilder_container_recipe" "own" {
  arn = aws_imagebuilder_container_recipe.own.arn
}

data "aws_imagebuilder_container_recipes" "own" {
  depends_on = [aws_imagebuilder_container_recipe.own]
}

data "aws_imagebuilder_infrastructure_configuration" "own" {
  arn = aws_imagebuilder_infrastructure_configuration.own.arn
}

data "aws_imagebuilder_infrastructure_configurations" "own" {
  filter {
    name   = "name"
    values = [aws_imagebuilder_infrastructure_configuration.own.name]
  }
}

data "aws_imagebuilder_distribution_configuration" "own" {
  arn = aws_imagebuilder_distribution_configuration.own.arn
}

data "aws_imagebuilder_distribution_configurations" "own" {
  filter {
    name   = "name"
    values = [aws_imagebuilder_distribution_configuration.own.name]
  }
}

# Of the other pipeline: this data source fails on any schedule with a time zone (provider 5.100).
data "aws_imagebuilder_image_pipeline" "container" {
  arn = aws_imagebuilder_image_pipeline.container.arn
}

data "aws_imagebuilder_image_pipelines" "own" {
  filter {
    name   = "name"
    values = [aws_imagebuilder_image_pipeline.own.name]
  }
}

output "found" {
  value = {
    component_type = data.aws_imagebuilder_component.managed.type
    windows        = length(data.aws_imagebuilder_components.amazon.names) > 0
    test_type      = aws_imagebuilder_component.test.type
    managed_image  = data.aws_imagebuilder_image.managed.os_version
    own_system     = data.aws_imagebuilder_image.own.os_version
    amis           = [for ami in tolist(aws_imagebuilder_image.own.output_resources)[0].amis : ami.region]
    recipe         = data.aws_imagebuilder_image_recipe.own.platform
    recipes        = data.aws_imagebuilder_image_recipes.own.names
    container      = data.aws_imagebuilder_container_recipe.own.container_type
    infrastructure = data.aws_imagebuilder_infrastructure_configurations.own.names
    distribution   = data.aws_imagebuilder_distribution_configurations.own.names
    pipelines      = data.aws_imagebuilder_image_pipelines.own.names
    pipeline       = data.aws_imagebuilder_image_pipeline.container.status
    platform       = aws_imagebuilder_image_pipeline.own.platform
  }
}
