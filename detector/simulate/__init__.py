"""A simulated organization trail: daily work with known stories in it, for the demo, the samples and the tests.

The same every time: nothing in it depends on the clock, the machine or the version of Python. It uses the standard
library only.
"""

from detector.simulate.stories import OTHERS, STORIES, Finding, Other, Story
from detector.simulate.trail import Delivery, deliveries

__all__ = ["OTHERS", "STORIES", "Delivery", "Finding", "Other", "Story", "deliveries"]
