"""From a commit to the bytes of its files, each chunk verified."""
