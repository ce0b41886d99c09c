"""The FUSE daemon: a process of its own that serves immutable commits as read-only directories."""
