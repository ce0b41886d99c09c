"""From the bytes of files to a commit, whole or not at all."""
