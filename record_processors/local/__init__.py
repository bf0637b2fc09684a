"""The stand-ins: what the pipelines talk to when there is no AWS account."""
