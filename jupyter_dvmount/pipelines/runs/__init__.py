"""The runs of jobs in experiment trackers: which are expected, where they are kept, what they tell.

Its modules are imported by those who use them: trackers are loaded only where there is something to track.
"""
