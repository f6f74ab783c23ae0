"""Clients that use a service as people do, all the time, while something is done to it; what fails is kept."""

import collections
import hashlib
import os
import threading
import time

import requests

from tests.harness.client import ApiClient

KIB = 1 << 10
_SIZES = (1, 40 * KIB, 300 * KIB, 2048 * KIB)
_WAIT_SECONDS = 120


class Refused(Exception):
    """An answer of the service that is not the one that a sound service gives."""

    def __init__(self, response: requests.Response):
        super().__init__('%s %s: %d %s' % (response.request.method, response.request.path_url, response.status_code,
                                           response.text[:200]))
        self.response = response


class Load:
    """Clients with kept connections that create, upload, show, list, download, change and delete images.

    ``failures`` holds what went wrong: an exception for each request that was not answered as it should. Nothing is tried
    again. ``stored`` maps the ids of the images that were uploaded, and whose deletion nobody asked for, to the digests of
    their data.

    :param url: the service
    :param clients: how many, each in a thread of its own
    :param certificate: file with the certificate that the service shows
    """

    def __init__(self, url: str, clients: int = 6, certificate: object = None):
        self.failures: list[Exception] = []
        self.done: collections.Counter[str] = collections.Counter()
        self.stored: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = []
        for number in range(clients):
            client = ApiClient(url)
            client.session.verify = str(certificate) if certificate else True
            self._threads.append(threading.Thread(target=self._run, args=(client, number), daemon=True))

    def __enter__(self) -> 'Load':
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """Let everybody finish what he has begun."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(_WAIT_SECONDS)

    @property
    def answered(self) -> int:
        """How many requests were answered as they should."""
        return self.done.total()

    def wait_for_more(self, rounds: int = 5) -> None:
        """Return when so many more images went all their way, or something more failed. Raises AssertionError."""
        target, failed, deadline = self.done['delete'] + rounds, len(self.failures), time.monotonic() + _WAIT_SECONDS
        while self.done['delete'] < target and len(self.failures) == failed:
            if time.monotonic() > deadline:
                raise AssertionError('the service stands still: %s' % self.done)
            time.sleep(0.02)

    @staticmethod
    def digest(data: bytes) -> str:
        """As the ``checksum`` of an image."""
        return hashlib.md5(data).hexdigest()

    def _run(self, client: ApiClient, number: int) -> None:
        turn = number
        while not self._stopped.is_set():
            turn += 1
            try:
                self._round(client, os.urandom(_SIZES[turn % len(_SIZES)]))
            except Exception as error:
                self.failures.append(error)

    def _round(self, client: ApiClient, data: bytes) -> None:
        """The life of one image."""
        attributes = {'name': 'load', 'disk_format': 'raw', 'container_format': 'bare'}
        image_id = self._expect('create', 201, client.post('/v2/images', json=attributes)).json()['id']
        path = '/v2/images/' + image_id
        self._expect('upload', 204, client.upload(image_id, data))
        digest = self.digest(data)
        with self._lock:
            self.stored[image_id] = digest
        shown = self._expect('show', 200, client.get(path)).json()
        if (shown['status'], shown['checksum']) != ('active', digest):
            raise AssertionError('image %s is %s' % (image_id, shown))
        self._expect('list', 200, client.get('/v2/images?limit=5'))
        self._expect('change', 200, client.patch(path, [{'op': 'add', 'path': '/mark', 'value': 'x'}]))
        if self._expect('download', 200, client.get(path + '/file')).content != data:
            raise AssertionError('image %s has other data than were uploaded' % image_id)
        with self._lock:
            del self.stored[image_id]
        self._expect('delete', 204, client.delete(path))

    def _expect(self, verb: str, status: int, response: requests.Response) -> requests.Response:
        if response.status_code != status:
            raise Refused(response)
        with self._lock:
            self.done[verb] += 1
        return response
