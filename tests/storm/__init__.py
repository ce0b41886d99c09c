"""Pipelines under kill -9, for as long as one likes; the tests do some seconds of it."""
