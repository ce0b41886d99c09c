"""Experiment trackers: how jobs appear in them, and what they tell about a job's runs."""

from .base import Tracker, tracker
from .model import Account, Run, Series, Settings, TrackedJob

__all__ = ["Account", "Run", "Series", "Settings", "TrackedJob", "Tracker", "tracker"]
