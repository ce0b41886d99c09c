"""Servers that tests talk to, each a process or thread of its own on a free port of 127.0.0.1."""
