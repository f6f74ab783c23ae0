"""The cache of this process: entries are found, filled, listed and removed here.

A failure of the local disk or of the books never fails a reader: what the cache cannot give comes from the store.
"""
import contextlib
import dataclasses
import errno
import fcntl
import logging
import os
import stat
import threading
import time
from collections.abc import Callable

from glance import exceptions
from glance.cache import pruner
from glance.cache.content import OWN_ALGORITHM, Content
from glance.cache.drivers.base import Driver, Entry
from glance.cache.filling import Draft, EntryReader, follow, remove_dead
from glance.cache.layout import INCOMPLETE, INVALID, QUEUE, Layout, is_image_id, unavailable
from glance.cache.stamps import Stamps
from glance.store.base import Reader
from glance.store.drivers.files import FileReader
from glance.tasks.background import Background
from glance.transfer import limits, pipeline
from glance.transfer.hashing import Digest
from glance.transfer.sources import FileSource, ReaderSource

LOG = logging.getLogger(__name__)

# Entries that one process fills at the same time; further misses are served from the store alone.
MAX_FILLS = 8
# Data in files of this host up to this many bytes is given out from the entry in the making, larger data from the store.
SMALL = 32 * 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

OpenStore = Callable[[int], Reader]


@dataclasses.dataclass(slots=True)
class Counters:
    """What this process did since its start; bytes are those of image data."""

    hits: int = 0
    hit_bytes: int = 0
    misses: int = 0
    fills: int = 0
    filled_bytes: int = 0
    failed_fills: int = 0


class Cache:
    """The entries of one directory.

    :param max_size: bytes that all entries together may have
    :param stall_time: seconds after which an incomplete entry that nobody writes is removed by the cleaner
    :param prune_on_fill: whether entries give way to a new one that would exceed ``max_size``
    :param clock: seconds since 1970
    """

    def __init__(self, layout: Layout, driver: Driver, *, max_size: int, stall_time: int, prune_on_fill: bool = True,
                 clock: Callable[[], float] = time.time):
        self.layout, self.driver, self.stamps = layout, driver, Stamps(layout)
        self.max_size, self.stall_time, self._prune_on_fill = max_size, stall_time, prune_on_fill
        self.clock = clock
        self.counters = Counters()
        self.background = Background()
        self._lock = threading.Lock()
        self._fills = threading.BoundedSemaphore(MAX_FILLS)
        self._verifying: set[str] = set()
        self._threads: set[threading.Thread] = set()
        self._closed = threading.Event()

    def close(self) -> None:
        """End what is being filled, leaving nothing of it, and release the books."""
        self._closed.set()
        self.background.close()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(5)
        self.driver.close()

    # Reading

    def open(self, content: Content, offset: int, length: int | None, open_store: OpenStore) -> EntryReader | None:
        """A reader of a span of a complete, verified entry; None when there is none.

        An entry that is not verified yet is looked at in the background, and not used meanwhile.
        """
        if not is_image_id(content.image_id):
            return None
        try:
            fd = os.open(self.layout.path(content.image_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            LOG.warning('The cached image %s cannot be opened: %s.', content.image_id, error.strerror)
            return None
        if not self._usable(fd, content):
            os.close(fd)
            return None
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        file = FileReader(fd, offset, content.size - offset if length is None else length)
        return EntryReader(file, open_store, lambda: self._reject(content.image_id, 'the disk does not give it back'))

    def _usable(self, fd: int, content: Content) -> bool:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return False
        if status.st_size != content.size:
            self._reject(content.image_id, 'it has %d bytes and not %d' % (status.st_size, content.size))
            return False
        if self.stamps.verified(status, content):
            return True
        with self._lock:
            known = content.image_id in self._verifying
            self._verifying.add(content.image_id)
        if not known:
            self.background.submit(lambda: self._verify(content))
        return False

    def count_hit(self, image_id: str, count: int) -> None:
        """Take note that ``count`` bytes were read from an entry."""
        with self._lock:
            self.counters.hits += 1
            self.counters.hit_bytes += count
        self._note('used', lambda: self.driver.hit(image_id, self.clock()))

    def through(self, content: Content, open_store: OpenStore, local: bool) -> Reader:
        """The whole data of an image that has no entry, which becomes one on the way.

        :param open_store: opens the data in the store from a position; what it raises is raised
        :param local: the store's data are files of this host, which the kernel sends by itself
        """
        with self._lock:
            self.counters.misses += 1
        direct = local and content.size > SMALL
        draft = self._claim(content)
        if draft is not None:
            return self._fill_for(draft, content, open_store, direct)
        if not direct and is_image_id(content.image_id):
            with contextlib.suppress(OSError):
                reader = follow(self.layout, content, open_store) or self.open(content, 0, None, open_store)
                if reader is not None:
                    return reader
        return open_store(0)

    def _fill_for(self, draft: Draft, content: Content, open_store: OpenStore, direct: bool) -> Reader:
        """Start to fill the draft; return what its first reader gets."""
        source = self._open_for(draft, open_store)
        try:
            reader = open_store(0) if direct else draft.reader(open_store)
        except OSError:
            self._drop(draft)
            return source
        except BaseException:
            self._drop(draft)
            source.close()
            raise
        thread = threading.Thread(target=self._fill, args=(draft, content, source), name='cache-fill', daemon=True)
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:
            LOG.warning('Image %s is not cached: %s.', content.image_id, error)
            with self._lock:
                self._threads.discard(thread)
            # Whoever reads along waits until the draft is given up.
            self._drop(draft)
            reader.close()
            return source
        return reader

    def _open_for(self, draft: Draft, open_store: OpenStore) -> Reader:
        try:
            return open_store(0)
        except BaseException:
            self._drop(draft)
            raise

    def _drop(self, draft: Draft) -> None:
        draft.discard()
        self._fills.release()

    # Filling

    def fetch(self, content: Content, open_store: OpenStore) -> None:
        """Fill an entry, or wait for who does. Raises what keeps it from being cached."""
        while self.layout.status(content.image_id) is None:
            draft = self._claim(content)
            if draft is not None:
                if not self._fill(draft, content, self._open_for(draft, open_store)):
                    raise exceptions.StoreError('Image %s was not cached; the log says why.' % content.image_id)
                return
            reader = follow(self.layout, content, open_store)
            if reader is None:
                if self.layout.status(content.image_id) is None:
                    raise exceptions.CacheUnavailable('Image %s cannot be cached: it is empty, there is no room for it, or '
                                                      'too many are being cached.' % content.image_id)
                return
            try:
                reader.wait(self.background.check)
            finally:
                reader.close()

    def _claim(self, content: Content) -> Draft | None:
        """Begin an entry, if there is room for it and nobody else does; the number of fills is counted up."""
        if not is_image_id(content.image_id) or content.size <= 0 or self._closed.is_set():
            return None
        if not self._fills.acquire(blocking=False):
            return None
        draft = None
        try:
            draft = self._claim_with_room(content)
        except OSError as error:
            log = LOG.warning if error.errno in _FULL else LOG.error
            log('Image %s is not cached: %s.', content.image_id, error.strerror)
        except exceptions.GlanceError as error:
            LOG.warning('Image %s is not cached: %s', content.image_id, error)
        finally:
            if draft is None:
                self._fills.release()
        return draft

    def _claim_with_room(self, content: Content) -> Draft | None:
        if not self._prune_on_fill:
            return Draft.claim(self.layout, content)
        if content.size > self.max_size:
            LOG.info('Image %s is not cached: it is larger than image_cache_max_size.', content.image_id)
            return None
        with self.layout.lock(pruner.LOCK):
            draft = Draft.claim(self.layout, content)
            if draft is None:
                return None
            try:
                if pruner.make_room(self):
                    return draft
            except BaseException:
                draft.discard()
                raise
            draft.discard()
            LOG.info('Image %s is not cached: others that are being cached leave no room for it.', content.image_id)
            return None

    def _fill(self, draft: Draft, content: Content, source: Reader) -> bool:
        """Write an entry to its end; tell whether it is verified. Raises nothing."""
        try:
            with ReaderSource(source) as stream:
                digest = Digest(content.algorithm or OWN_ALGORITHM)
                pipeline.spread(stream, [digest, draft], limits.Meter(content.size, progress=self._check_open))
            if content.digest not in (None, digest.hexdigest()):
                raise exceptions.StoreError('the data in the store does not have the hash of the image')
            self._publish(draft, content, digest)
            return True
        except OSError as error:
            draft.discard()
            LOG.warning('Image %s is not cached: %s.', content.image_id, error.strerror)
        except exceptions.GlanceError as error:
            self.driver.rejected(draft.reject(), str(error))
            LOG.warning('Image %s is not cached: %s', content.image_id, error)
        except Exception:
            draft.discard()
            LOG.exception('Image %s is not cached.', content.image_id)
        finally:
            draft.close()
            self._fills.release()
            with self._lock:
                self._threads.discard(threading.current_thread())
        with self._lock:
            self.counters.failed_fills += 1
        return False

    def _publish(self, draft: Draft, content: Content, digest: Digest) -> None:
        """Make the verified draft an entry that a power cut does not take away: file, name and record, one after the other."""
        draft.release()
        draft.flush()
        self.stamps.write(content.image_id, draft.status(), digest.name, digest.hexdigest())
        now = self.clock()
        if draft.publish():
            self._note('recorded', lambda: self.driver.record(
                Entry(content.image_id, content.size, 0, now, now, content.checksum)))
        with self._lock:
            self.counters.fills += 1
            self.counters.filled_bytes += content.size

    def _check_open(self, done: int) -> None:
        if self._closed.is_set():
            raise InterruptedError(errno.EINTR, 'the service is stopped')

    # Verifying

    def _verify(self, content: Content) -> None:
        """Hash an entry, and stamp or reject it; does nothing while another process does."""
        image_id = content.image_id
        try:
            with FileSource(self.layout.path(image_id)) as source:
                before = os.fstat(source.fileno())
                fcntl.flock(source.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                stamp = self.stamps.read(image_id)
                algorithm, expected = content.algorithm, content.digest
                if expected is None and stamp is not None:
                    algorithm, expected = stamp.algorithm, stamp.digest
                digest = Digest(algorithm or OWN_ALGORITHM)
                pipeline.spread(source, [digest], limits.Meter(before.st_size, progress=self._check_open))
                if expected is None:
                    self._reject(image_id, 'nothing is known by which it could be verified')
                elif digest.hexdigest() != expected:
                    self._reject(image_id, 'its hash is not that of the image')
                else:
                    self.stamps.write(image_id, before, digest.name, digest.hexdigest())
        except BlockingIOError:
            LOG.debug('The cached image %s is verified by another process.', image_id)
        except (OSError, exceptions.GlanceError) as error:
            LOG.warning('The cached image %s cannot be verified: %s', image_id, error)
        finally:
            with self._lock:
                self._verifying.discard(image_id)

    def _reject(self, image_id: str, reason: str) -> None:
        LOG.error('The cached image %s is removed: %s.', image_id, reason)
        path = self.layout.path(image_id, INVALID)
        with contextlib.suppress(OSError):
            os.rename(self.layout.path(image_id), path)
            self.driver.rejected(path, reason)
        self.stamps.remove(image_id)
        self._note('removed', lambda: self.driver.forget([image_id]))

    def _note(self, what: str, work: Callable[[], None]) -> None:
        """Write something into the books, which are put right later if that fails."""
        try:
            work()
        except exceptions.GlanceError as error:
            LOG.warning('It is not written down that a cached image was %s: %s', what, error)

    # Entries and queue

    def entries(self) -> list[Entry]:
        """Every complete entry, ordered by id. What the books do not know was never used since its file was written.

        Raises CacheUnavailable, DatabaseUnavailable.
        """
        known = {entry.image_id: entry for entry in self.driver.entries()}
        return [dataclasses.replace(known[image_id], size=status.st_size) if image_id in known
                else Entry(image_id, status.st_size, 0, status.st_mtime, status.st_mtime)
                for image_id, status in sorted(self.layout.scan(), key=lambda found: found[0])]

    def is_cached(self, image_id: str) -> bool:
        """Whether there is a complete entry."""
        with unavailable('read'):
            return is_image_id(image_id) and self.layout.status(image_id) is not None

    def is_queued(self, image_id: str) -> bool:
        """Whether the image waits to be fetched."""
        with unavailable('read'):
            return is_image_id(image_id) and self.layout.status(image_id, QUEUE) is not None

    def queued(self) -> list[str]:
        """The ids of images that wait to be fetched, who waits longest first."""
        return [image_id for image_id, _ in sorted(self.layout.scan(QUEUE), key=lambda found: found[1].st_mtime_ns)]

    def queue(self, image_id: str) -> bool:
        """Have an image fetched; False when it is cached or queued already. Raises CacheUnavailable."""
        with unavailable('written to'):
            if self.layout.status(image_id) is not None or self.layout.status(image_id, QUEUE) is not None:
                return False
            self.layout.prepare_folders()
            try:
                os.close(os.open(self.layout.path(image_id, QUEUE), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
            except FileExistsError:
                return False
            return True

    def dequeue(self, image_id: str) -> bool:
        """Take an image off the queue; tell whether it was there."""
        with unavailable('written to'):
            return self.layout.remove(image_id, QUEUE)

    def clear_queue(self) -> int:
        """Empty the queue; return how many images were in it."""
        return sum(self.dequeue(image_id) for image_id in self.queued())

    def delete(self, image_id: str) -> bool:
        """Remove an entry, also one in the making; tell whether there was a complete one."""
        removed = self.remove_entry(image_id)
        with unavailable('written to'):
            self.layout.remove(image_id, INCOMPLETE)
        return removed

    def remove_entry(self, image_id: str) -> bool:
        """Remove a complete entry; tell whether there was one. Readers that have it open go on."""
        with unavailable('written to'):
            removed = self.layout.remove(image_id, '')
        self.stamps.remove(image_id)
        self.driver.forget([image_id])
        return removed

    def forget(self, image_id: str) -> None:
        """Remove what there is of an image that was deleted; what cannot be removed now is never used and pruned later."""
        if is_image_id(image_id):
            self._note('removed', lambda: self.delete(image_id))

    def clear(self) -> int:
        """Remove every entry; return how many there were."""
        return sum(self.remove_entry(image_id) for image_id, _ in self.layout.scan())

    # Putting right

    def recover(self) -> None:
        """Remove what dead writers left, and make the books say what the directory holds. Safe beside other processes.

        Raises CacheUnavailable, DatabaseUnavailable.
        """
        with unavailable('put right'):
            for image_id, _ in self.layout.scan(INCOMPLETE):
                remove_dead(self.layout.path(image_id, INCOMPLETE))
        self.reconcile()

    def reconcile(self) -> None:
        """Make the books say what the directory holds, and nothing of the future, where a clock was once."""
        with self.layout.lock(pruner.LOCK):
            known = {entry.image_id: entry for entry in self.driver.entries()}
            present = self.entries()
            self.driver.forget(sorted(known.keys() - {entry.image_id for entry in present}))
            now = self.clock()
            for entry in present:
                sane = dataclasses.replace(entry, last_accessed=min(entry.last_accessed, now))
                if sane != known.get(entry.image_id):
                    self.driver.record(sane)
