"""What is mounted where: the manager, the daemon's supervisor and client, the checkout fallback."""
