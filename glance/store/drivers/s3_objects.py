"""One object of an S3 server being written, or being read."""
import concurrent.futures
import logging
import re
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto_errors

from glance import exceptions
from glance.store.base import Location, Reader, Writer
from glance.store.drivers import s3_client

if TYPE_CHECKING:
    from glance.store.drivers.s3 import S3Store

LOG = logging.getLogger(__name__)

_MOST_PARTS = 10_000
_GROWTH = 1_000
"""Parts after which parts of objects of unknown size become twice as large: 10000 parts hold more than 5 TiB then."""
_RESUMPTIONS = 3
_CONTENT_RANGE = re.compile(r'bytes ([0-9]+)-([0-9]+)/([0-9]+)')


class S3Writer(Writer):
    """A ``store.base.Writer``: what fits into one part is one request, the rest is sent by several threads."""

    def __init__(self, store: 'S3Store', image_id: str, attempt: str, size: int | None):
        self._store, self._image_id, self._attempt = store, image_id, attempt
        self._part_size = max(store.part_size, -(-(size or 0) // _MOST_PARTS))
        self._grows = size is None
        self._buffer = bytearray()
        self._upload: str | None = None
        self._parts: list[concurrent.futures.Future[dict[str, Any]]] = []
        self._committed = False

    def write(self, data: memoryview) -> None:
        while data:
            if len(self._buffer) == self._part_size:
                self._send_part()
            room = self._part_size - len(self._buffer)
            self._buffer += data[:room]
            data = data[room:]

    def commit(self) -> Location:
        with s3_client.errors(self._store.title, exceptions.StoreWriteDenied):
            if self._upload is None:
                self._conditional('put_object', Body=self._buffer)
            else:
                self._complete(self._upload)
        self._committed = True
        self._buffer = bytearray()
        return self._store.location(self._image_id)

    def abort(self) -> None:
        upload, self._upload = self._upload, None
        self._buffer = bytearray()
        if upload is None or self._committed:
            return
        for part in self._parts:
            part.cancel()
        concurrent.futures.wait(self._parts)    # a part that arrives after the end of its upload would stay for ever
        try:
            with s3_client.errors(self._store.title):
                self._store.cancel_upload(self._image_id, self._attempt, upload)
        except exceptions.StoreError as error:
            LOG.error('%s: parts of image %s are left behind, to be swept later: %s', self._store.title, self._image_id,
                      error)

    def _send_part(self) -> None:
        """Hand the full buffer to a thread and begin another; waits while too many parts are on their way."""
        with s3_client.errors(self._store.title, exceptions.StoreWriteDenied):
            for part in self._parts:
                if part.done():
                    part.result()
            if self._upload is None:
                self._upload = self._store.begin_upload(self._image_id, self._attempt)
        self._store.parts_at_a_time.acquire()
        body, self._buffer = self._buffer, bytearray()
        part = self._store.executor.submit(self._send, self._upload, len(self._parts) + 1, body)
        part.add_done_callback(lambda _part: self._store.parts_at_a_time.release())
        self._parts.append(part)
        if self._grows and len(self._parts) % _GROWTH == 0:
            self._part_size *= 2

    def _send(self, upload: str, number: int, body: bytearray) -> dict[str, Any]:
        answer = self._store.client.upload_part(Bucket=self._store.bucket, Key=self._image_id, UploadId=upload,
                                                PartNumber=number, Body=body)
        return {'PartNumber': number, **{name: value for name, value in answer.items()
                                         if name == 'ETag' or name.startswith('ChecksumC')}}

    def _complete(self, upload: str) -> None:
        if self._buffer:
            self._send_part()
        parts = [part.result() for part in self._parts]
        self._store.check_absent(self._image_id)    # for servers that know no conditions here
        self._conditional('complete_multipart_upload', UploadId=upload, MultipartUpload={'Parts': parts})
        self._store.end_upload(self._image_id, self._attempt)

    def _conditional(self, operation: str, **arguments: Any) -> None:
        """Write the object unless there is one, as far as the server can tell."""
        try:
            self._store.in_bucket(operation, Key=self._image_id, IfNoneMatch='*', **arguments)
        except boto_errors.ClientError as error:
            if not s3_client.knows_no_conditions(error):
                raise
            self._store.check_absent(self._image_id)
            self._store.in_bucket(operation, Key=self._image_id, **arguments)


class S3Reader(Reader):
    """A ``store.base.Reader`` of one answer; when it breaks off, the rest of the same object is asked for again."""

    def __init__(self, store: 'S3Store', bucket: str, key: str, offset: int, length: int, answer: dict[str, Any] | None):
        self.offset, self.length = offset, length
        self._store, self._bucket, self._key = store, bucket, key
        self._version = answer['ETag'] if answer else None
        self._body = answer['Body'] if answer else None
        self._delivered, self._resumptions = 0, 0

    @classmethod
    def open(cls, store: 'S3Store', bucket: str, key: str, offset: int, length: int | None) -> 'S3Reader':
        """Ask for a span. Raises Invalid when it is not in the object, and errors of the library."""
        if min(offset, length or 0) < 0:
            raise exceptions.Invalid('An image has no bytes before its first one')
        if offset == 0 and length is None:
            answer = store.client.get_object(Bucket=bucket, Key=key)
            return cls(store, bucket, key, 0, answer['ContentLength'], answer)
        size = store.client.head_object(Bucket=bucket, Key=key)['ContentLength']
        length = size - offset if length is None else length
        if offset + length > size or length < 0:
            raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it' % (size, length, offset))
        answer = _get(store, bucket, key, offset, length) if length else None
        return cls(store, bucket, key, offset, length, answer)

    def readinto(self, buffer: memoryview) -> int:
        wanted = buffer[:self.length - self._delivered]
        if not wanted:
            return 0
        while True:
            try:
                count = self._body.readinto(wanted)
            except (boto_errors.BotoCoreError, boto_errors.HTTPClientError, OSError) as error:
                self._resume(error)
                continue
            if count:
                self._delivered += count
                return count
            self._resume(None)

    def close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _resume(self, error: Exception | None) -> None:
        """Ask for the rest of the same object. Raises StoreUnavailable when that has been done too often."""
        self._resumptions += 1
        if self._resumptions > _RESUMPTIONS:
            raise exceptions.StoreUnavailable() from error
        LOG.warning('%s: the data of %s broke off after %d of %d bytes; the rest is asked for again.', self._store.title,
                    self._key, self._delivered, self.length)
        self.close()
        with s3_client.errors(self._store.title):
            self._body = _get(self._store, self._bucket, self._key, self.offset + self._delivered,
                              self.length - self._delivered, IfMatch=self._version)['Body']


def _get(store: 'S3Store', bucket: str, key: str, offset: int, length: int, **conditions: str) -> dict[str, Any]:
    """The answer to the request for a span. Raises StoreError when the server sends another one."""
    answer = store.client.get_object(Bucket=bucket, Key=key, Range='bytes=%d-%d' % (offset, offset + length - 1), **conditions)
    found = _CONTENT_RANGE.fullmatch(answer.get('ContentRange', ''))
    if not found or (int(found[1]), int(found[2])) != (offset, offset + length - 1):
        answer['Body'].close()
        raise exceptions.StoreError('The store sent another part of the data than it was asked for.')
    return answer
