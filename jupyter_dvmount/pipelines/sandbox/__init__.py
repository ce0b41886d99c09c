"""Runs a pipeline's code apart from everything else: three tiers behind one small protocol."""
