"""Names: projects, repos, branches, commits and what links them, as transactions of the catalog."""
