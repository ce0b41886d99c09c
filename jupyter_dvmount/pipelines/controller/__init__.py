"""The controller: turns changes of data into jobs, has their datums run, and commits what they write."""
