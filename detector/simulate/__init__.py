"""A simulated organization trail: daily work that contains known stories.

The demo, the sample logs and the tests use it.
"""

from detector.simulate.stories import OTHERS, STORIES, ExpectedAlert, Other, Story
from detector.simulate.trail import Delivery, deliveries

__all__ = ["OTHERS", "STORIES", "Delivery", "ExpectedAlert", "Other", "Story", "deliveries"]
