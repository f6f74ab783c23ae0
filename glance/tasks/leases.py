"""Leases: a worker's right to finish what it began with an image.

A lease is written together with the status change that begins the work and dropped together with the one that ends it.
While the work goes on a heartbeat prolongs it. When the worker dies the lease lapses, and ``glance.tasks.recovery`` undoes
the half-done work.
"""
import contextlib
import dataclasses
import datetime
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from glance.db.interface import Database, Lease

LOG = logging.getLogger(__name__)

# Seconds that a lease is valid without a heartbeat, and between two heartbeats.
DURATION = 600
HEARTBEAT = 30
# Seconds before its end from which on a lease is not relied on: what has begun then may take that long.
MARGIN = 60
# States of processes that have ended and wait to be reaped.
_ENDED = ('Z', 'X')


def utcnow() -> datetime.datetime:
    """Return the present time as records keep it: naive UTC."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def host_prefix() -> str:
    """Return what the names of all workers on this boot of this machine begin with."""
    # The namespace of process ids tells containers apart that share the name of their host.
    namespace = os.stat('/proc/self/ns/pid').st_ino
    return '%s/%s/%d/' % (socket.gethostname(), _read('/proc/sys/kernel/random/boot_id')[:8], namespace)


def worker_name(pid: int | None = None) -> str:
    """Name a process so that no other one, not even a later one with its pid, has the same name."""
    pid = pid or os.getpid()
    return '%s%d/%s' % (host_prefix(), pid, _start_of(pid))


def is_alive(worker: str) -> bool:
    """Tell whether the process of this machine that the name stands for still runs."""
    pid, start = worker.removeprefix(host_prefix()).split('/')
    return bool(start) and _start_of(int(pid)) == start


def _start_of(pid: int) -> str:
    """Return when a running process started, in clock ticks since boot; empty when there is none."""
    # Fields 3 and 22 of /proc/PID/stat, counted from behind the command, which may hold blanks (proc(5)).
    fields = _read('/proc/%d/stat' % pid).rpartition(')')[2].split()
    return fields[19] if fields and fields[0] not in _ENDED else ''


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ''


def new_lease(image_id: str, worker: str | None = None, storage: int = 0, staging: int = 0) -> Lease:
    """Make a lease on an image for a worker (default: this process) that begins now and is to reserve some bytes."""
    expires_at = utcnow() + datetime.timedelta(seconds=DURATION)
    return Lease(image_id, str(uuid.uuid4()), worker or worker_name(), expires_at, storage=storage, staging=staging)


def prolonged(lease: Lease) -> Lease:
    """Return the lease as a heartbeat at this moment would make it."""
    return dataclasses.replace(lease, expires_at=utcnow() + datetime.timedelta(seconds=DURATION))


def of_dead_workers(database: Database) -> list[Lease]:
    """Return the leases of workers whose process on this machine is gone."""
    return [lease for lease in database.lease_list(worker_prefix=host_prefix()) if not is_alive(lease.worker)]


def _relied_on_until() -> float:
    return time.monotonic() + DURATION - MARGIN


class LeaseKeeper:
    """The leases of this process and the thread that prolongs them."""

    def __init__(self, database: Database):
        self._database = database
        self._worker = worker_name()
        # Attempts, with the time of the monotonic clock until which their leases are relied on.
        self._held: dict[str, float] = {}
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def hold(self, image_id: str, storage: int = 0, staging: int = 0) -> Iterator[Lease]:
        """Make a lease on the image and prolong it until the block ends; the caller writes and drops it.

        ``storage`` and ``staging`` are the bytes that the work will put into stores and into the staging area, 0 when
        that is not known.
        """
        lease = new_lease(image_id, self._worker, storage, staging)
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._beat, name='leases', daemon=True)
                thread.start()
                self._thread = thread
            self._held[lease.attempt] = _relied_on_until()
        try:
            yield lease
        finally:
            with self._lock:
                self._held.pop(lease.attempt, None)

    def is_sure(self, lease: Lease) -> bool:
        """Tell whether a lease that is held here was prolonged lately enough for nobody else to take it over soon."""
        with self._lock:
            return time.monotonic() < self._held.get(lease.attempt, 0)

    def close(self) -> None:
        """End the heartbeat."""
        self._changed.set()

    def _beat(self) -> None:
        while not self._changed.wait(HEARTBEAT):
            with self._lock:
                held = tuple(self._held)
            if not held:
                continue
            try:
                until = _relied_on_until()
                self._database.lease_renew(held, utcnow() + datetime.timedelta(seconds=DURATION))
                with self._lock:
                    self._held.update((attempt, until) for attempt in held if attempt in self._held)
            except Exception as error:
                # A heart that stops would cost running uploads their leases: it goes on whatever happened.
                LOG.warning('The leases of %d running uploads could not be prolonged: %s', len(held), error)
