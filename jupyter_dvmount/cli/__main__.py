"""``python -m jupyter_dvmount.cli``: the command where its script is not on the PATH."""

from .main import main

main()
