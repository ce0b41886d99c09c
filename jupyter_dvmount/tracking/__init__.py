"""Experiment trackers: how jobs appear in them, and what they tell about a job's runs."""

from .base import Tracker, tracker, tracker_of_key
from .model import Account, Run, RunState, Series, Settings, TrackedJob

__all__ = [
    "Account",
    "Run",
    "RunState",
    "Series",
    "Settings",
    "TrackedJob",
    "Tracker",
    "tracker",
    "tracker_of_key",
]
