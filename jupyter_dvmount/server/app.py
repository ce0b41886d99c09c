"""The Jupyter server extension."""

from __future__ import annotations

import os

from jupyter_server.extension.application import ExtensionApp
from traitlets import Float, Int, Unicode

from .backend import Backend
from .handlers import FALLBACK, ROUTES
from .handlers.base import SETTING


class DvmountApp(ExtensionApp):
    """Serves versioned data to the JupyterLab panel: REST below ``/dvmount/api`` and events."""

    name = "jupyter_dvmount"

    store_url = Unicode(
        help="""URL of the version store, or the name of one in dvmount's configuration file.
        Empty: as for the command dvmount, that is $DVMOUNT_STORE, the configuration file, or
        ~/.local/share/dvmount/store. Kernels and terminals get it as $DVMOUNT_STORE."""
    ).tag(config=True)

    mount_root = Unicode(
        help="""Directory in which mounts appear. Empty: as for the command dvmount, that is
        $DVMOUNT_ROOT, the configuration file, or ~/dvmount. Kernels and terminals get it as
        $DVMOUNT_ROOT."""
    ).tag(config=True)

    max_workers = Int(8, min=1, help="Threads in which quick calls of the store run.").tag(config=True)

    max_copies = Int(
        2,
        min=1,
        help="""Mounts made at the same time; the others wait. They take long only where there is no FUSE and
        files are copied.""",
    ).tag(config=True)

    poll_interval = Float(
        1.0,
        min=0.05,
        help="""Seconds between two looks for changes that other processes make, while a browser is
        connected; ten times as many while none is.""",
    ).tag(config=True)

    request_timeout = Float(
        60.0, min=0.1, help="Seconds after which a request is answered although the store has not."
    ).tag(config=True)

    def initialize_settings(self) -> None:
        """Make what the handlers share."""
        self._environ: dict[str, str | None] = {}
        self._export("DVMOUNT_STORE", self.store_url)
        self._export("DVMOUNT_ROOT", self.mount_root)
        assert self.serverapp is not None
        assert self.serverapp.event_logger is not None
        self.backend = Backend(
            self.serverapp.event_logger,
            workers=self.max_workers,
            copies=self.max_copies,
            interval=self.poll_interval,
            patience=self.request_timeout,
        )
        self.settings[SETTING] = self.backend

    def initialize_handlers(self) -> None:
        """Register the routes, and start watching once the event loop runs."""
        assert self.serverapp is not None
        self.handlers.extend([*ROUTES, FALLBACK])
        self.serverapp.io_loop.add_callback(self.backend.start)

    async def stop_extension(self) -> None:
        """Leave nothing behind but the mounts."""
        await self.backend.stop()
        while self._environ:
            name, value = self._environ.popitem()
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _export(self, name: str, value: str) -> None:
        """Let kernels and terminals, which inherit the environment, see the same as the panel."""
        if value:
            self._environ[name] = os.environ.get(name)
            os.environ[name] = value
