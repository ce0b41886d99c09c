"""What tests do that cannot run without FUSE."""

from __future__ import annotations

import pytest

from jupyter_dvmount.mounting.support import fuse_support


def need_fuse() -> None:
    """Skip the test, with the reason, where commits cannot be mounted through FUSE."""
    support = fuse_support()
    if not support.usable:
        pytest.skip(f"no FUSE here: {support.why}")
