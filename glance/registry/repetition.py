"""Writes that a client sends again because their answer was lost: they are not done again, and give what they gave."""
import hashlib
import logging
import queue
import re
import threading
import time
import zlib
from collections.abc import Callable

from glance import exceptions
from glance.db.sqlalchemy.request_keys import Claim, RequestKeys, Taken

LOG = logging.getLogger(__name__)

_KEY = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
# How long somebody who asks again waits for the first attempt to end, and how often it is looked up, in seconds.
_PATIENCE, _PAUSE = 5.0, 0.05
# Seconds between two looks of one process for keys whose time is over.
_SWEEP = 10.0
# An answer that is longer than this in bytes, compressed, is not remembered.
_LONGEST_ANSWER = 4 << 20
# Answers that are written in one transaction, and those that may wait for it.
_BATCH, _WAITING = 50, 500


class StillRunning(exceptions.DatabaseUnavailable):
    """An earlier attempt of this request has not ended, or ended without telling how; ask again in a moment."""

    message = 'An earlier attempt of this request has not ended yet; try again later.'


class Repetition:
    """Remembers answers in the database of the records, where every process of every registry finds them.

    What is written and that the request was here get into the database in one transaction. The answer follows a moment
    later, in the background: who asks for it before waits.

    :ivar ttl: seconds for which an answer is remembered
    """

    def __init__(self, keys: RequestKeys):
        self._keys, self.ttl = keys, keys.ttl
        self._answers: queue.Queue[tuple[Claim, bytes] | None] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._next_sweep = 0.0

    def once(self, key: str, parts: tuple[str | bytes, ...], deadline: float, carry_out: Callable[[], bytes]) -> bytes:
        """Carry a request out and return its answer; when it was here before, return the answer that it had.

        :param key: the same for all attempts of one request, and for no other request: a UUID
        :param parts: what makes it the same request: who asks, and for what
        :param deadline: monotonic time until which to wait for an attempt that is still running
        :raises Invalid: the key is none, or was used for another request
        :raises DatabaseUnavailable: nothing was done
        :raises StillRunning: an earlier attempt has not ended, or its outcome is not known
        """
        if not _KEY.fullmatch(key):
            raise exceptions.Invalid('The header X-Glance-Request-Key must be a UUID in lower case.')
        digest = _digest(parts)
        if self._keys.find(key) is None:
            try:
                with self._keys.claim(key, digest) as claim:
                    answer = carry_out()
            except Taken:
                return self._answer(key, digest, deadline)
            if claim.written:
                self._remember(claim, answer)
                return answer
            # It changed nothing. Was that so because another attempt had done it meanwhile?
            if self._keys.find(key) is None:
                return answer
        return self._answer(key, digest, deadline)

    def close(self) -> None:
        """Write the answers that wait to be remembered."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer:
            self._answers.put(None)
            writer.join()

    def _answer(self, key: str, digest: str, deadline: float) -> bytes:
        """Return the answer of an earlier attempt as soon as there is one."""
        give_up = min(time.monotonic() + _PATIENCE, deadline)
        while True:
            found = self._keys.find(key)
            if found is None:
                raise StillRunning()
            if found.digest != digest:
                raise exceptions.Invalid('This X-Glance-Request-Key was used for another request.')
            if found.answer is not None:
                LOG.info('The request with the key %s was here before; it gets the same answer', key)
                return zlib.decompress(found.answer)
            if time.monotonic() + _PAUSE > give_up:
                raise StillRunning()
            time.sleep(_PAUSE)

    def _remember(self, claim: Claim, answer: bytes) -> None:
        packed = zlib.compress(answer, 1)
        if len(packed) > _LONGEST_ANSWER:
            return
        with self._lock:
            if self._writer is None:
                writer = threading.Thread(target=self._write, name='answers', daemon=True)
                try:
                    writer.start()
                except RuntimeError as error:
                    LOG.warning('An answer is not remembered: %s', error)
                    return
                self._writer = writer
        self._answers.put((claim, packed))

    def _write(self) -> None:
        """Write answers, together those that have come meanwhile, until there are to be no more."""
        while (first := self._answers.get()) is not None:
            batch, last = [first], False
            while len(batch) < _BATCH and not last and not self._answers.empty():
                following = self._answers.get()
                last = following is None
                if following is not None:
                    batch.append(following)
            try:
                self._keys.finish(batch)
                self._sweep()
            except Exception as error:
                # What was asked for is done, and the answers are on their way.
                LOG.warning('%d answers are not remembered: %s', len(batch), error)
            if last:
                return

    def _sweep(self) -> None:
        now = time.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP
            while self._keys.forget():
                pass


def _digest(parts: tuple[str | bytes, ...]) -> str:
    found = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        found.update(b'%d:' % len(data))
        found.update(data)
    return found.hexdigest()
