"""trailhound's core: CloudTrail bytes in, alerts out. It imports no terminal library."""

__version__ = "0.1.0"
