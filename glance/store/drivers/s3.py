"""Images as objects of an S3 server, one each, in one bucket.

Atomic: an object appears when its last part has arrived; of several writers of one image one wins where the server knows
conditions on writing, else the last one may. Durable: as the server says. Integrity: every part is signed with its
SHA-256, or protected by TLS; the data integrity options of the store add checksums. Ranges: yes. Holes: zeros are
stored. Memory: one part for each upload, and ``s3_store_thread_pools`` parts on their way.
"""
import concurrent.futures
import datetime
import re
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from glance import exceptions
from glance.store import location as locations
from glance.store.base import Capability, Location, StoredObject
from glance.store.drivers import s3_client
from glance.store.drivers.s3_objects import S3Reader, S3Writer

MIB = 1024 * 1024
_UUID = r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
_NAME = re.compile(_UUID)
# An object of this name holds the upload id of an image that is being written in parts.
_MARKER = re.compile(r'(?P<image>%s)\.(?P<attempt>%s)\.part' % (_UUID, _UUID))
_MANDATORY = ('s3_store_host', 's3_store_access_key', 's3_store_secret_key', 's3_store_bucket')


class S3Store:
    """A ``store.base.Store`` of one bucket.

    :param options: the options of the store as attributes
    :param part_size: bytes in a part, except the last
    """

    capabilities = Capability.READ_RANDOM | Capability.WRITE

    def __init__(self, name: str | None, options, part_size: int):
        self.name, self.part_size = name, part_size
        self.bucket = options.s3_store_bucket
        endpoint = s3_client.endpoint_of(options.s3_store_host)
        secure, _, self._host = endpoint.rstrip('/').partition('://')
        schemes = ('s3', 's3+http', 's3+https')
        self.schemes = ('s3+https', 's3', 's3+http') if secure == 'https' else schemes
        self.url_prefixes = tuple('%s://%s/%s/' % (scheme, self._host, self.bucket) for scheme in schemes)
        self.details = {
            's3_store_large_object_size': options.s3_store_large_object_size * MIB,
            's3_store_large_object_chunk_size': options.s3_store_large_object_chunk_size * MIB,
            's3_store_thread_pools': options.s3_store_thread_pools}
        self._options = options
        self._lock = threading.Lock()
        self._client: Any = None
        self._executor: concurrent.futures.ThreadPoolExecutor | None = None
        self.parts_at_a_time = threading.BoundedSemaphore(options.s3_store_thread_pools)
        self._alive: set[str] = set()

    @classmethod
    def from_options(cls, options, name: str | None) -> 'S3Store':
        """The store that a configuration section describes. Raises ConfigurationError."""
        for option in _MANDATORY:
            if not getattr(options, option):
                raise exceptions.ConfigurationError('[%s] %s is not set; stores of type s3 need it.'
                                                    % (options.section, option))
        bucket, style = options.s3_store_bucket, options.s3_store_bucket_url_format
        if style in ('virtual', 'subdomain') and not re.fullmatch(r'[a-z0-9][a-z0-9-]{1,61}[a-z0-9]', bucket):
            raise exceptions.ConfigurationError(
                '[%s] s3_store_bucket = %s cannot be part of a host name, which s3_store_bucket_url_format = %s demands; '
                'rename it or choose path.' % (options.section, bucket, style))
        if options.s3_store_enable_proxy and not options.s3_store_proxy_host:
            raise exceptions.ConfigurationError('[%s] s3_store_enable_proxy needs s3_store_proxy_host.' % options.section)
        return cls(name, options, options.s3_store_large_object_chunk_size * MIB)

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> S3Writer:
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _NAME.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in an S3 store' % name)
        with s3_client.errors(self.title, exceptions.StoreWriteDenied):
            self.check_absent(image_id)
        return S3Writer(self, image_id, attempt, size)

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> S3Reader:
        bucket, key = self._parse(location)
        with s3_client.errors(self.title):
            return S3Reader.open(self, bucket, key, offset, length)

    def size(self, location: Location) -> int:
        bucket, key = self._parse(location)
        with s3_client.errors(self.title):
            return self.client.head_object(Bucket=bucket, Key=key)['ContentLength']

    def delete(self, location: Location) -> None:
        bucket, key = self._parse(location)
        with s3_client.errors(self.title):
            # Servers delete what does not exist without complaint.
            self.client.head_object(Bucket=bucket, Key=key)
            self.client.delete_object(Bucket=bucket, Key=key)

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        freed = 0
        with s3_client.errors(self.title):
            for key, found in list(self._markers(image_id + '.')):
                if attempt in (None, found['attempt']) and found['attempt'] not in self._alive:
                    freed += self._discard_marked(found['image'], key)
            if committed:
                freed += self._delete_object(image_id)
        return freed

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        # The age is all that tells dead writers of other hosts from living ones.
        swept = []
        with s3_client.errors(self.title):
            marked = {}
            for key, found in self._markers(''):
                upload = self.client.get_object(Bucket=self.bucket, Key=key)['Body'].read().decode()
                marked[upload] = key, found['attempt']
            for upload in list(self._uploads()):
                key, attempt = marked.pop(upload['UploadId'], (None, None))
                if attempt in self._alive or self._idle_seconds(upload) < older_than:
                    continue
                self.abort_upload(upload['Key'], upload['UploadId'], key)
                swept.append(upload['Key'])
            for key, attempt in marked.values():
                if attempt not in self._alive and self._age(key) >= older_than:
                    self.client.delete_object(Bucket=self.bucket, Key=key)
        return swept

    def walk(self) -> Iterator[StoredObject]:
        with s3_client.errors(self.title):
            for item in self._objects(''):
                if _NAME.fullmatch(item['Key']):
                    yield StoredObject(self.location(item['Key']), item['Size'], _seconds_since(item['LastModified']))

    def close(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
            client, self._client = self._client, None
        if executor is not None:
            executor.shutdown()
        if client is not None:
            client.close()

    # What writers and readers need of their store.

    @property
    def title(self) -> str:
        return 'Store %s' % self.name if self.name else 'The S3 store'

    @property
    def client(self) -> Any:
        """The connection, made when it is first needed: a process that forks must not share it."""
        with self._lock:
            if self._client is None:
                self._client = s3_client.connect(self._options, self._options.s3_store_thread_pools)
            return self._client

    @property
    def executor(self) -> concurrent.futures.ThreadPoolExecutor:
        """The threads that send parts."""
        with self._lock:
            if self._executor is None:
                self._executor = concurrent.futures.ThreadPoolExecutor(self._options.s3_store_thread_pools, 's3-part')
            return self._executor

    def location(self, image_id: str) -> Location:
        """Where an image is."""
        url = '%s://%s/%s/%s' % (self.schemes[0], self._host, self.bucket, image_id)
        return Location(url, {'store': self.name} if self.name else {})

    def check_absent(self, image_id: str) -> None:
        """Raise ObjectExists when there is an object of the image."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=image_id)
        except ClientError as error:
            if s3_client.code_of(error) in ('404', 'NoSuchKey', 'NoSuchBucket', 'NotFound'):
                return
            raise
        raise exceptions.ObjectExists()

    def in_bucket(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation that writes, making the bucket first if it is missing and the operator wants that."""
        call = getattr(self.client, operation)
        try:
            return call(Bucket=self.bucket, **arguments)
        except ClientError as error:
            if not (s3_client.bucket_is_missing(error) and self._options.s3_store_create_bucket_on_put):
                raise
        region = s3_client.region_of(self._options)
        place = {'CreateBucketConfiguration': {'LocationConstraint': region}} if region not in (None, 'us-east-1') else {}
        try:
            self.client.create_bucket(Bucket=self.bucket, **place)
        except ClientError as error:
            if s3_client.code_of(error) not in ('BucketAlreadyOwnedByYou', 'BucketAlreadyExists'):
                raise
        return call(Bucket=self.bucket, **arguments)

    def begin_upload(self, image_id: str, attempt: str) -> str:
        """Begin an object in parts and leave a mark for whoever has to clean up; return the upload id."""
        upload = self.in_bucket('create_multipart_upload', Key=image_id)['UploadId']
        self._alive.add(attempt)
        try:
            self.client.put_object(Bucket=self.bucket, Key=_marker(image_id, attempt), Body=upload.encode())
        except BaseException:
            self.cancel_upload(image_id, attempt, upload)
            raise
        return upload

    def end_upload(self, image_id: str, attempt: str) -> None:
        """Remove the mark of an upload that is complete."""
        self.client.delete_object(Bucket=self.bucket, Key=_marker(image_id, attempt))
        self._alive.discard(attempt)

    def cancel_upload(self, image_id: str, attempt: str, upload: str) -> None:
        """Remove the parts of an upload, and its mark."""
        self._alive.discard(attempt)
        self.abort_upload(image_id, upload, _marker(image_id, attempt))

    def abort_upload(self, image_id: str, upload: str, marker: str | None) -> None:
        """Remove the parts of an upload that nobody completes, and the object that marks it."""
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=image_id, UploadId=upload)
        except ClientError as error:
            if s3_client.code_of(error) not in ('NoSuchUpload', '404'):
                raise
        if marker is not None:
            self.client.delete_object(Bucket=self.bucket, Key=marker)

    # What dead writers leave.

    def _discard_marked(self, image_id: str, marker: str) -> int:
        upload = self.client.get_object(Bucket=self.bucket, Key=marker)['Body'].read().decode()
        freed = sum(part['Size'] for part in self._parts(image_id, upload))
        self.abort_upload(image_id, upload, marker)
        return freed

    def _delete_object(self, image_id: str) -> int:
        try:
            size = self.client.head_object(Bucket=self.bucket, Key=image_id)['ContentLength']
        except ClientError as error:
            if s3_client.code_of(error) in ('404', 'NoSuchKey', 'NotFound'):
                return 0
            raise
        self.client.delete_object(Bucket=self.bucket, Key=image_id)
        return size

    def _markers(self, prefix: str) -> Iterator[tuple[str, re.Match]]:
        for item in self._objects(prefix):
            if match := _MARKER.fullmatch(item['Key']):
                yield item['Key'], match

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        try:
            for page in self.client.get_paginator('list_objects_v2').paginate(Bucket=self.bucket, Prefix=prefix):
                yield from page.get('Contents', ())
        except ClientError as error:
            if not s3_client.bucket_is_missing(error):
                raise

    def _uploads(self) -> Iterator[dict[str, Any]]:
        """Uploads that are not complete, of keys that are images."""
        try:
            for page in self.client.get_paginator('list_multipart_uploads').paginate(Bucket=self.bucket):
                yield from (upload for upload in page.get('Uploads', ()) if _NAME.fullmatch(upload['Key']))
        except ClientError as error:
            if not s3_client.bucket_is_missing(error):
                raise

    def _parts(self, image_id: str, upload: str) -> list[dict[str, Any]]:
        try:
            pages = self.client.get_paginator('list_parts').paginate(Bucket=self.bucket, Key=image_id, UploadId=upload)
            return [part for page in pages for part in page.get('Parts', ())]
        except ClientError as error:
            if s3_client.code_of(error) in ('NoSuchUpload', '404'):
                return []
            raise

    def _idle_seconds(self, upload: dict[str, Any]) -> float:
        parts = self._parts(upload['Key'], upload['UploadId'])
        return min(_seconds_since(moment) for moment in [upload['Initiated'], *(part['LastModified'] for part in parts)])

    def _age(self, key: str) -> float:
        return _seconds_since(self.client.head_object(Bucket=self.bucket, Key=key)['LastModified'])

    def _parse(self, location: Location) -> tuple[str, str]:
        """Bucket and key of a location. User, password, host and port of old ones do not count: the options do.

        :raises BadLocation: for anything that cannot be one of an S3 store
        """
        url = locations.parse(location.url)
        bucket, _, key = url.path.removeprefix('/').rpartition('/')
        if url.scheme.lower() not in self.schemes or url.query is not None or not (url.host and bucket and key) \
                or '://' in url.path:
            raise exceptions.BadLocation('The location is not one of an S3 store')
        return bucket, key


def _marker(image_id: str, attempt: str) -> str:
    return '%s.%s.part' % (image_id, attempt)


def _seconds_since(moment: datetime.datetime) -> float:
    # Servers round, and their clocks are not ours.
    return max(0.0, time.time() - moment.timestamp())
