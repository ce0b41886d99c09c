"""What the controller does all day: looks for new commits, brings jobs forward, and hands out datums.

One thread decides and writes; a few others do what takes long for one job, its beginning and its end. All
that counts is in the database and the store: a controller may be killed at any moment, and the next one goes
on from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

from jupyter_dvmount.config import Config
from jupyter_dvmount.pipelines.executors import Executor, Full, open_executor
from jupyter_dvmount.pipelines.jobs import history, specs
from jupyter_dvmount.pipelines.jobs.database import Database, Superseded
from jupyter_dvmount.pipelines.jobs.schema import now
from jupyter_dvmount.pipelines.jobs.specs import Version
from jupyter_dvmount.pipelines.logs import LogKey, LogLine, LogStore
from jupyter_dvmount.pipelines.messages import Event, Finished, Logged, Started
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import StoreError, VersionStore

from .active import Active, Tools
from .cron import Clocks
from .following import Follower
from .lease import Lease, take
from .tracking import Tracking

log = logging.getLogger("jupyter_dvmount.pipelines")

BUSY, IDLE = 0.05, 0.2
"""Seconds between two looks at the feed and the wishes: while something happens, and else."""
GATHER = 0.02
"""Seconds between two turns: what comes meanwhile is written down in one transaction."""
CALM = 5.0
"""Seconds without an event after which the looks become rarer."""
EVERYWHERE = 60.0
"""Seconds between two looks at all branches, whatever the feed says."""
UNNEEDED = 60.0
"""Seconds without a pipeline after which the controller ends."""
WORKERS = 4
"""Jobs that may begin or end at the same time."""
_LONGEST_REST = 5.0  # seconds between two looks while the store or the database is away
_EVENTS = 1.0


class Controller:
    """Runs the pipelines of one store.

    Parameters
    ----------
    config
        Settings: where the state is, and what runs datums.
    store, database
        The data, and the jobs.
    lease, epoch
        What makes it the only one.
    """

    def __init__(
        self, config: Config, store: VersionStore, database: Database, *, lease: Lease, epoch: int
    ) -> None:
        self._config = config
        self._store = store
        self._database = database
        self._lease = lease
        self._epoch = epoch
        self._secrets = SecretStore(config.state / "secrets")
        self._logs = LogStore(config.state / "logs")
        self._tracking = Tracking(config.state, database, self._secrets, epoch=epoch)
        self._follower = Follower(store, database, epoch)
        self._clocks = Clocks(store, database, epoch)
        self._executor: Executor | None = None
        self._pump: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="dvmount-job")
        self._wake = threading.Event()
        self._incoming: list[Event] = []
        self._inbox: list[Started | Finished] = []
        self._lock = threading.Lock()
        self._active: dict[int, Active] = {}
        self._versions: dict[str, Version] = {}
        self._wishes = -1
        self._last_event = self._needed = monotonic()
        self._looked = self._looked_everywhere = self._turned = 0.0
        self._trouble = ""
        self._rest = 0.0
        self._ending = False

    def run(self, *, once: bool = False) -> None:
        """Work until nobody needs it; with ``once`` until nothing is left to do.

        Raises
        ------
        Superseded
            If another controller has taken over.
        """
        try:
            while not self._ending:
                with self._weathering():
                    if self._turn() and once:
                        return
                if not self._trouble and self._is_unneeded():
                    log.info("there are no pipelines: ending")
                    return
                self._wait()
        finally:
            self._close()

    def end(self) -> None:
        """Have `run` return; from any thread or signal handler."""
        self._ending = True
        self._wake.set()

    def _turn(self) -> bool:
        """Do what is due; whether nothing is left to do now."""
        self._take_events()
        moment = monotonic()
        is_new = False
        if moment - self._looked >= BUSY:
            is_new = self._look(moment)
        for active in [*self._active.values()]:
            active.step()
            if active.is_over:
                del self._active[active.num]
                self._wishes = -1  # others may have waited for it
        self._hand_out()
        return not is_new and self._wishes != -1 and all(each.is_waiting for each in self._active.values())

    def _look(self, moment: float) -> bool:
        """Look at the feed, the clocks and the wishes; whether anything was new."""
        self._renew()  # the connection may have been replaced without anybody noticing
        everywhere = moment - self._looked_everywhere >= EVERYWHERE
        is_new = self._follower.look(everywhere=everywhere)
        with self._database.read() as connection:
            wishes = specs.wishes(connection)
            if wishes != self._wishes:
                self._versions = specs.current(connection)
                self._load(history.unfinished(connection))
                self._wishes = wishes
                is_new = True
        is_new = self._clocks.tick(self._versions, now()) or is_new
        self._looked = moment
        if everywhere:
            self._looked_everywhere = moment
        if is_new:
            self._last_event = moment
        return is_new

    def _load(self, rows: list[history.JobRow]) -> None:
        """Take up the first job of each pipeline; those after it wait for it."""
        self._needed = monotonic() if self._versions else self._needed
        nums = {row.num for row in rows}
        for num in [num for num in self._active if num not in nums]:
            self._active[num].abandon()
        busy = {each.pipeline for each in self._active.values()}
        for row in rows:
            if row.num in self._active:
                self._active[row.num].update(row, self._versions)
            elif row.pipeline not in busy or row.stop:
                self._active[row.num] = Active(self._tools(), row, self._versions)
                busy.add(row.pipeline)

    def _tools(self) -> Tools:
        return Tools(
            store=self._store,
            database=self._database,
            secrets=self._secrets,
            epoch=self._epoch,
            pool=self._pool,
            wake=self._wake.set,
            executor=self._open_executor,
            tracking=self._tracking,
        )

    def _renew(self) -> None:
        """Take the lease again if it was lost with a connection, unless somebody else has it by now."""
        if not self._lease.is_valid() and not take(self._lease):
            raise Superseded("another controller has taken over", fix="let it work")

    # datums

    def _hand_out(self) -> None:
        """Give batches to the executor, to each job in turn, as long as it takes them."""
        executor = self._executor
        if executor is None:
            return
        waiting = [each for each in self._active.values() if each.hands_out]
        while waiting and executor.room:
            for active in [*waiting]:
                batch = active.next()
                if batch is None:
                    waiting.remove(active)
                    continue
                try:
                    executor.submit(batch)
                except Full:
                    active.take_back(batch)
                    return
                except StoreError as error:
                    active.take_back(batch)
                    active.give_up(error)
                    waiting.remove(active)

    def _take_events(self) -> None:
        """Write down what the executor has told: logs at once, ends of attempts in one transaction."""
        with self._lock:
            events, self._incoming = self._incoming, []
        if events:
            self._last_event = monotonic()
        for event in events:
            if isinstance(event, Logged):
                self._log(event.attempt, event.lines)
            else:
                self._inbox.append(event)
            if isinstance(event, Started):
                for active in self._active.values():
                    active.begin(event.attempt)
                lines = [LogLine(time=time.time(), text=text, engine=True) for text in event.warnings]
                self._log(event.attempt, tuple(lines))
        if not self._inbox:
            return
        for active in self._active.values():
            active.take([each for each in self._inbox if active.owns(each.attempt)])
        self._inbox = []

    def _log(self, attempt: str, lines: tuple[LogLine, ...]) -> None:
        for active in self._active.values() if lines else ():
            key: LogKey | None = active.log_key(attempt)
            if key is not None:
                try:
                    self._logs.append(key, lines)
                except StoreError as error:
                    self._complain(error)
                return

    def _open_executor(self) -> Executor:
        """The executor, started when the first job needs it."""
        if self._executor is None:
            self._executor = open_executor(self._config.executor, self._config, self._secrets)
            self._pump = threading.Thread(
                target=self._listen, args=(self._executor,), name="dvmount-events", daemon=True
            )
            self._pump.start()
        return self._executor

    def _listen(self, executor: Executor) -> None:
        while not self._ending:
            events = executor.events(_EVENTS)
            if events:
                with self._lock:
                    self._incoming += events
                self._wake.set()

    # the rest

    @contextmanager
    def _weathering(self) -> Iterator[None]:
        """Survive that the store or the database is away, and say so once."""
        try:
            yield
        except Superseded:
            raise
        except StoreError as error:
            self._complain(error)
            self._rest = min(max(self._rest * 2, BUSY), _LONGEST_REST)
        except Exception:
            log.exception("unexpected; trying again")
            self._rest = _LONGEST_REST
        else:
            if self._trouble:
                log.info("going on")
            self._trouble, self._rest = "", 0.0

    def _complain(self, error: StoreError) -> None:
        if error.message != self._trouble:
            log.warning("%s; %s", error.message, error.fix)
            self._trouble = error.message

    def _is_unneeded(self) -> bool:
        if self._versions or self._active:
            self._needed = monotonic()
        return monotonic() - self._needed > UNNEEDED

    def _wait(self) -> None:
        moment = monotonic()
        pause = BUSY if self._active or moment - self._last_event < CALM else IDLE
        due = [each.due for each in self._active.values() if each.due is not None]
        if due:
            pause = min(pause, max(min(due) - moment, 0.0))
        self._wake.wait(max(pause, self._rest))
        time.sleep(max(self._turned + GATHER - monotonic(), 0.0))
        self._wake.clear()
        self._turned = monotonic()

    def _close(self) -> None:
        self._ending = True
        for active in self._active.values():
            active.interrupt()
        if self._executor is not None:
            self._executor.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._tracking.close()
        if self._pump is not None:
            self._pump.join()
