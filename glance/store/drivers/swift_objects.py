"""One object of a Swift store being written, or being read."""
import hashlib
import json
import logging
import re
from typing import TYPE_CHECKING

import requests
import urllib3

from glance import exceptions
from glance.store.base import Location, Reader, Writer
from glance.store.drivers.swift_client import Account, StreamedPut
from glance.store.drivers.swift_segments import KeptSegment, Segment, StreamedSegment, check_etag

if TYPE_CHECKING:
    from glance.store.drivers.swift import SwiftStore

LOG = logging.getLogger(__name__)

ATTEMPT = 'X-Object-Meta-Glance-Attempt'
"""A header of every object that says which try wrote it."""
_UNLESS_EXISTS = {'If-None-Match': '*'}
_LARGEST = 5 * 1024 ** 3
_MOST_SEGMENTS = 1000
_DOUBLINGS = 5
_ATTEMPTS = 3
_CONTENT_RANGE = re.compile(r'bytes ([0-9]+)-([0-9]+)/([0-9]+)')


class SwiftWriter(Writer):
    """A ``store.base.Writer``: what fits into memory is one request, the rest is streamed or goes in segments."""

    def __init__(self, store: 'SwiftStore', account: Account, container: str, image_id: str, attempt: str, size: int | None):
        self._store, self._account, self._container = store, account, container
        self._image_id, self._attempt, self._size = image_id, attempt, size or None
        self._segmented = not size or size >= store.large_object_size
        self._segment_size = self._first_segment_size()
        self._head = bytearray()
        self._head_size = min(store.memory, self._segment_size if self._segmented else size or 0)
        self._written = 0
        self._stream: _WholeObject | None = None
        self._segments: list[Segment] = []
        self._open: Segment | None = None
        self._published: bool | None = False    # None: it is not known

    def write(self, data: memoryview) -> None:
        if self._size is not None and self._written + len(data) > self._size:
            raise exceptions.SizeMismatch(self._size, self._written + len(data))
        self._written += len(data)
        room = self._head_size - len(self._head)
        if self._stream is None and not self._segments and len(data) <= room:
            self._head += data
            return
        head, self._head, self._head_size = self._head, bytearray(), 0
        for piece in (memoryview(head), data):
            if self._segmented:
                self._write_segments(piece)
            else:
                self._write_stream(piece)

    def commit(self) -> Location:
        if self._size is not None and self._written != self._size:
            raise exceptions.SizeMismatch(self._size, self._written)
        self._published = None
        try:
            with self._store.committing(self._image_id):
                self._publish()
        except (exceptions.ObjectExists, exceptions.StoreFull, exceptions.StoreWriteDenied):
            self._published = False
            raise
        self._published = True
        self._release()
        self._end()
        return self._store.location(self._account, self._container, self._image_id)

    def abort(self) -> None:
        if self._published:
            return
        self._release()
        try:
            if self._published is None and self._is_there():
                self._store.remove(self._account, self._container, self._image_id)
            elif self._segments:
                self._store.remove_segments(self._account, self._image_id, self._attempt, own=True)
            self._published = False
            self._segments.clear()
            self._store.abandoned(self._account, self._container)
        except exceptions.StoreError as error:
            LOG.error('%s: segments of image %s are left behind, to be swept later: %s', self._store.title,
                      self._image_id, error)
        self._end()

    def _end(self) -> None:
        self._store.ended(self._attempt)
        self._account.release()

    def _publish(self) -> None:
        if self._stream is not None:
            # Swift looks whether there is an object when a request begins, and this one began long ago.
            if self._store.attempt_of(self._account, self._container, self._image_id) is not None:
                raise exceptions.ObjectExists()
            self._stream.finish()
        elif self._segments:
            self._put_manifest()
        else:
            md5 = hashlib.md5(self._head, usedforsecurity=False).hexdigest()
            self._put_whole(self._head, {'ETag': md5})
        # Of requests that began at the same time Swift keeps one, and lets each believe that it is the one.
        if not self._is_there():
            raise exceptions.ObjectExists()

    def _release(self) -> None:
        self._head = bytearray()
        if self._stream is not None:
            self._stream.close()
        for segment in self._segments:
            segment.close()

    # One object.

    def _write_stream(self, data: memoryview) -> None:
        if self._stream is None:
            put = self._account.put_stream(self._container, self._image_id, self._size, {
                **_UNLESS_EXISTS, ATTEMPT: self._attempt})
            self._stream = _WholeObject(put)
        self._stream.write(data)

    def _put_whole(self, body: bytearray | bytes, headers: dict[str, str], **arguments) -> None:
        """Put the object unless there is one, again when the answer was lost."""
        for attempt in range(_ATTEMPTS):
            try:
                self._account.request('PUT', self._container, self._image_id, data=bytes(body), headers={
                    **_UNLESS_EXISTS, ATTEMPT: self._attempt, **headers}, denied=exceptions.StoreWriteDenied, **arguments)
                return
            except exceptions.ObjectExists:
                if attempt and self._is_there():
                    return
                raise
            except exceptions.StoreUnavailable:
                if attempt == _ATTEMPTS - 1:
                    raise

    def _is_there(self) -> bool:
        """Whether the object exists and is the one of this writer."""
        return self._store.attempt_of(self._account, self._container, self._image_id) == self._attempt

    # Segments.

    def _first_segment_size(self) -> int:
        """The size that is configured, or what it takes to have few enough segments."""
        if self._size is None:
            return self._store.segment_size
        return max(self._store.segment_size, -(-self._size // self._most_segments()))

    def _most_segments(self) -> int:
        if self._size is not None and self._size < self._store.segment_size * _MOST_SEGMENTS:
            return _MOST_SEGMENTS
        return self._account.abilities.get('slo', {}).get('max_manifest_segments', _MOST_SEGMENTS)

    def _write_segments(self, data: memoryview) -> None:
        while data:
            if self._open is not None and self._open.size == self._segment_size:
                self._end_segment()
            if self._open is None:
                self._begin_segment()
            room = self._segment_size - self._open.size
            self._open.write(data[:room])
            data = data[room:]

    def _begin_segment(self) -> None:
        number = len(self._segments)
        if self._size is None and number and number % (self._most_segments() // _DOUBLINGS) == 0:
            self._segment_size = min(2 * self._segment_size, _LARGEST)
        store, name = self._store, segment_name(self._image_id, self._attempt, number)
        container = store.segment_container(self._container)
        if not self._segments:
            store.begun(self._attempt)
        if store.buffer_folder is not None or self._segment_size <= store.memory:
            self._open = KeptSegment(store, self._account, container, name, store.buffer_folder)
        else:
            done = number * self._segment_size
            length = None if self._size is None else min(self._segment_size, self._size - done)
            self._open = StreamedSegment(self._account, container, name, length)
        self._segments.append(self._open)

    def _end_segment(self) -> None:
        """End a segment; answers of earlier ones are looked at, so that few wait for theirs at a time."""
        segment, self._open = self._open, None
        segment.end()
        if len(self._segments) > self._store.parallel:
            self._segments[-1 - self._store.parallel].result()

    def _put_manifest(self) -> None:
        if self._open is not None:
            self._end_segment()
        container = self._store.segment_container(self._container)
        manifest = [{'path': '/%s/%s' % (container, segment_name(self._image_id, self._attempt, number)),
                     'etag': segment.result(), 'size_bytes': segment.size} for number, segment in enumerate(self._segments)]
        if 'slo' in self._account.abilities:
            etags = ''.join(entry['etag'] for entry in manifest)
            self._put_whole(json.dumps(manifest).encode(), {
                'ETag': hashlib.md5(etags.encode(), usedforsecurity=False).hexdigest()},
                params={'multipart-manifest': 'put'})
        else:
            prefix = '/'.join((container, self._image_id, self._attempt, ''))
            self._put_whole(b'', {'X-Object-Manifest': prefix})


class _WholeObject:
    """An object of known size being sent as it comes. Its last byte is kept back, lest it be visible before it may."""

    def __init__(self, put: StreamedPut):
        self._put = put
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._last = b''

    def write(self, data: memoryview) -> None:
        if not data:
            return
        self._md5.update(data)
        if self._last:
            self._put.send(memoryview(self._last))
        self._put.send(data[:-1])
        self._last = bytes(data[-1:])

    def finish(self) -> None:
        """Publish it. Raises StoreError."""
        self._put.send(memoryview(self._last))
        self._put.end()
        check_etag(self._put.answer()['ETag'], self._md5.hexdigest())

    def close(self) -> None:
        self._put.close()


def segment_name(image_id: str, attempt: str, number: int) -> str:
    """The name of a segment."""
    return '%s/%s/%08d' % (image_id, attempt, number)


class SwiftReader(Reader):
    """A ``store.base.Reader`` of one answer; when it breaks off, the rest of the same object is asked for again."""

    def __init__(self, account: Account, container: str, name: str, offset: int, length: int,
                 answer: requests.Response | None, resumptions: int):
        self.offset, self.length = offset, length
        self._account, self._container, self._name = account, container, name
        self._version = answer.headers.get('ETag') if answer is not None else None
        self._answer = answer
        self._delivered, self._resumptions = 0, resumptions

    @classmethod
    def open(cls, account: Account, container: str, name: str, offset: int, length: int | None,
             resumptions: int) -> 'SwiftReader':
        """Ask for a span; ``resumptions`` is how often for the rest of it. Raises Invalid for one not in the object."""
        if min(offset, length or 0) < 0:
            raise exceptions.Invalid('An image has no bytes before its first one')
        if offset == 0 and length is None:
            answer = account.request('GET', container, name, stream=True)
            if 'Content-Length' in answer.headers:
                return cls(account, container, name, 0, int(answer.headers['Content-Length']), answer, resumptions)
            answer.close()    # a dynamic large object of more segments than fit into one listing
        size = int(account.request('HEAD', container, name).headers['Content-Length'])
        length = size - offset if length is None else length
        if offset + length > size or length < 0:
            raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it' % (size, length, offset))
        answer = _get(account, container, name, offset, length) if length else None
        return cls(account, container, name, offset, length, answer, resumptions)

    def readinto(self, buffer: memoryview) -> int:
        wanted = buffer[:self.length - self._delivered]
        if not wanted:
            return 0
        while True:
            error: Exception | None = None
            try:
                count = self._answer.raw.readinto(wanted) if self._answer is not None else 0
                if count:
                    self._delivered += count
                    return count
            except (urllib3.exceptions.HTTPError, OSError) as failure:
                error = failure
            self._resume(error)

    def close(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def _resume(self, error: Exception | None) -> None:
        """Ask for the rest of the same object. Raises StoreUnavailable when that has been done too often."""
        self.close()
        if not self._resumptions:
            LOG.error('%s: the data of %s broke off after %d of %d bytes.', self._account.title, self._name,
                      self._delivered, self.length)
            raise exceptions.StoreUnavailable() from error
        self._resumptions -= 1
        LOG.warning('%s: the data of %s broke off after %d of %d bytes; the rest is asked for again.',
                    self._account.title, self._name, self._delivered, self.length)
        headers = {'If-Match': self._version} if self._version else {}
        try:
            self._answer = _get(self._account, self._container, self._name, self.offset + self._delivered,
                                self.length - self._delivered, headers)
        except exceptions.ObjectExists:
            raise exceptions.StoreError('The data of the image was replaced while it was read.') from None


def _get(account: Account, container: str, name: str, offset: int, length: int,
         headers: dict[str, str] | None = None) -> requests.Response:
    """The answer to the request for a span. Raises StoreError when the server sends another one."""
    answer = account.request('GET', container, name, stream=True, headers={
        'Range': 'bytes=%d-%d' % (offset, offset + length - 1), **(headers or {})})
    found = _CONTENT_RANGE.fullmatch(answer.headers.get('Content-Range', ''))
    if not found or (int(found[1]), int(found[2])) != (offset, offset + length - 1):
        answer.close()
        raise exceptions.StoreError('The store sent another part of the data than it was asked for.')
    return answer


