# A queue for each triggerer, and the rule that sends the ends of images to all of them.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "triggerers" {
  description = "The host names of the triggerers, without a domain: {hostname} in queue_url."
  type        = set(string)
  default     = ["airflow-triggerer-0", "airflow-triggerer-1"]
}

locals {
  # A rule has five targets at most. Beyond them, its only target is an SNS topic.
  fan_out = length(var.triggerers) > 5
  sender  = local.fan_out ? aws_sns_topic.ends[0].arn : aws_cloudwatch_event_rule.ends.arn
}

resource "aws_cloudwatch_event_rule" "ends" {
  name        = "imagebuilder-ends"
  description = "The ends of EC2 Image Builder's images, for Airflow."
  event_pattern = jsonencode({
    source        = ["aws.imagebuilder"]
    "detail-type" = ["EC2 Image Builder Image State Change"]
    detail        = { state = { status = ["AVAILABLE", "FAILED", "CANCELLED"] } }
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "imagebuilder-dead-letters"
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "triggerer" {
  for_each                   = var.triggerers
  name                       = "imagebuilder-${each.key}"
  message_retention_seconds  = 3600
  visibility_timeout_seconds = 30
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 3
  })
}

resource "aws_sqs_queue_policy" "triggerer" {
  for_each  = aws_sqs_queue.triggerer
  queue_url = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = local.fan_out ? "sns.amazonaws.com" : "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = each.value.arn
      Condition = { ArnEquals = { "aws:SourceArn" = local.sender } }
    }]
  })
}

resource "aws_cloudwatch_event_target" "triggerer" {
  for_each = local.fan_out ? {} : aws_sqs_queue.triggerer
  rule     = aws_cloudwatch_event_rule.ends.name
  arn      = each.value.arn
}

resource "aws_sns_topic" "ends" {
  count = local.fan_out ? 1 : 0
  name  = "imagebuilder-ends"
}

resource "aws_sns_topic_policy" "ends" {
  count = local.fan_out ? 1 : 0
  arn   = aws_sns_topic.ends[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.ends[0].arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.ends.arn } }
    }]
  })
}

resource "aws_cloudwatch_event_target" "topic" {
  count = local.fan_out ? 1 : 0
  rule  = aws_cloudwatch_event_rule.ends.name
  arn   = aws_sns_topic.ends[0].arn
}

resource "aws_sns_topic_subscription" "triggerer" {
  for_each             = local.fan_out ? aws_sqs_queue.triggerer : {}
  topic_arn            = aws_sns_topic.ends[0].arn
  protocol             = "sqs"
  endpoint             = each.value.arn
  raw_message_delivery = true
}

output "queue_urls" {
  value = { for name, queue in aws_sqs_queue.triggerer : name => queue.url }
}
