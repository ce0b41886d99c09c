"""``python -m jupyter_dvmount.pipelines.controller --store URL [--detach]``: a controller of its own."""

import os
import sys

if "--detach" in sys.argv and os.fork():
    os._exit(0)  # the child belongs to nobody now, so that no parent has to wait for it

from .process import main

main()
