"""What the engine finds on the machine that it runs on: memory, disks and their particularities."""
