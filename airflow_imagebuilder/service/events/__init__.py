"""The events of EC2 Image Builder that come through EventBridge and SQS."""
