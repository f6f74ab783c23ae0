"""Writes that a client sends again because their answer was lost: they are not done again, and give what they gave."""
import hashlib
import logging
import re
import threading
import time
import zlib
from collections.abc import Callable

from glance import exceptions
from glance.db.sqlalchemy.request_keys import RequestKeys, Taken

LOG = logging.getLogger(__name__)

_KEY = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
# How long somebody who asks again waits for the first attempt to end, and how often it is looked up, in seconds.
_PATIENCE, _PAUSE = 5.0, 0.05
# Seconds between two looks of one process for keys whose time is over.
_SWEEP = 10.0
# An answer that is longer than this in bytes, compressed, is not remembered.
_LONGEST_ANSWER = 4 << 20


class StillRunning(exceptions.DatabaseUnavailable):
    """An earlier attempt of this request has not ended, or ended without telling how; ask again in a moment."""

    message = 'An earlier attempt of this request has not ended yet; try again later.'


class Repetition:
    """Remembers answers in the database of the records, where every process of every registry finds them.

    :ivar ttl: seconds for which an answer is remembered
    """

    def __init__(self, keys: RequestKeys):
        self._keys, self.ttl = keys, keys.ttl
        self._next_sweep, self._lock = 0.0, threading.Lock()

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
        try:
            attempt = self._keys.claim(key, digest)
        except Taken:
            return self._answer(key, digest, deadline)
        answer = carry_out()
        self._remember(key, attempt, answer)
        return answer

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

    def _remember(self, key: str, attempt: str, answer: bytes) -> None:
        """Keep an answer. What was asked for is done already: a database that fails now is no reason to hide that."""
        packed = zlib.compress(answer, 1)
        try:
            if len(packed) <= _LONGEST_ANSWER:
                self._keys.finish(key, attempt, packed)
            self._sweep()
        except exceptions.GlanceError as error:
            LOG.warning('The answer to the request with the key %s is not remembered: %s', key, error)

    def _sweep(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now < self._next_sweep:
                return
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
