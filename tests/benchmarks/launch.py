"""Runs a program and writes wall and CPU seconds, peak memory in KiB and exit code to descriptor ``argv[1]``.

A process of its own, and a small one: the kernel counts the memory of the process that starts a program as
the first of that program's.
"""

import os
import sys
import time

start = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - start
cpu = usage.ru_utime + usage.ru_stime
os.write(int(sys.argv[1]), f"{wall} {cpu} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}".encode())
