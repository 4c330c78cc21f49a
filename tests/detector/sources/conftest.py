from tests.detector.sources.aws import aws, server

__all__ = ["aws", "server"]
