"""The files of a commit as a history-independent tree: reading, changing and comparing it."""
