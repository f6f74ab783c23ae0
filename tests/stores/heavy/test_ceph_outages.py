"""A Ceph cluster whose only OSD hangs or dies while images are transferred, and comes back: a cluster for this alone."""
import contextlib
import os
import pathlib
import signal
import tempfile
from unittest import mock

import urllib3

from tests.functional.api.base import ApiTestCase, uploading, wait_for
from tests.harness.backend import Backend
from tests.stores.heavy.test_rbd import make, rbd

MIB = 1 << 20
DATA = os.urandom(48 * MIB)     # more than the buffers between the cluster and a client who does not read hold
PATIENCE = 2
"""Seconds after which the service takes the cluster for unavailable."""


class Cluster:
    """A Ceph cluster of its own, which is gone in the end.

    :param home: where it keeps what it has
    """

    def __init__(self, home: str):
        self._home, self._backend = home, Backend('ceph')
        self.start()

    def start(self) -> None:
        """Start what does not run."""
        self.described = dict(line.split('=', 1) for line in self._run('start').splitlines())

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.resume()
        self._run('stop')

    def pause(self) -> None:
        """Let the OSD hang."""
        os.kill(self._osd(), signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._osd(), signal.SIGCONT)

    def kill(self) -> None:
        """Let the OSD die, as in a power cut."""
        os.kill(self._osd(), signal.SIGKILL)

    def _osd(self) -> int:
        return int(pathlib.Path(self.described['CEPH_RUN'], 'osd.pid').read_text())

    def _run(self, command: str) -> str:
        with mock.patch.dict(os.environ, {'GLANCE_BACKENDS': self._home}):
            return self._backend.run(command)


class CephOutages(ApiTestCase):

    @classmethod
    def prepare(cls, server):
        cls.cluster = Cluster(cls.enterClassContext(tempfile.TemporaryDirectory(prefix='glance-test-')))
        cls.addClassCleanup(cls.cluster.stop)
        described = cls.cluster.described
        cls.store = make(described['CEPH_CONF'], described['CEPH_POOL'], rbd_store_user=described['CEPH_USER'])
        cls.addClassCleanup(cls.store.close)
        server.settings['DEFAULT']['enabled_backends'] = 'disk:file, pool:rbd'
        server.settings['glance_store'] = {'default_backend': 'pool'}
        server.settings.update({
            'disk': {'filesystem_store_datadir': server.images},
            'pool': {'rbd_store_ceph_conf': described['CEPH_CONF'], 'rbd_store_pool': described['CEPH_POOL'],
                     'rbd_store_user': described['CEPH_USER'], 'rbd_store_chunk_size': 1, 'store_idle_timeout': PATIENCE},
            'os_glance_staging_store': {'filesystem_store_datadir': server.folder / 'staging'},
            'os_glance_tasks_store': {'filesystem_store_datadir': server.folder / 'tasks'},
        })

    def pieces(self) -> list[str]:
        return rbd.RBD().list(self.store.pool().ioctx)

    @contextlib.contextmanager
    def hanging(self):
        self.cluster.pause()
        try:
            yield
        finally:
            self.cluster.resume()

    @contextlib.contextmanager
    def dead(self):
        self.cluster.kill()
        try:
            yield
        finally:
            self.cluster.start()

    def check_upload(self, image_id: str) -> None:
        """The image, which the outage left without data, gets it now, and nothing else is left."""
        self.assertEqual('queued', self.show(image_id)['status'])
        # For a quarter of a minute the service does not ask a store that failed again and again.
        wait_for('upload', lambda: self.client.upload(image_id, DATA).status_code == 204)
        self.check_image(image_id)
        wait_for('release of what was begun', lambda: self.store.sweep(0) or self.pieces() == [image_id])
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        self.assertEqual([], self.pieces())

    def check_image(self, image_id: str) -> None:
        content = wait_for('download', lambda: (answer := self.download(image_id)).status_code == 200 and answer.content)
        self.assertEqual(DATA, content)

    def check_refusal(self, response) -> None:
        self.assertEqual(503, response.status, response.text)
        self.assertIn('Retry-After', response.headers)
        self.assertIn('image store', response.text)
        self.assertNotIn('errno', response.text)

    def test_outage_during_an_upload(self):
        for outage in (self.hanging, self.dead):
            with self.subTest(outage.__name__):
                image_id = self.client.create_image()['id']
                upload = uploading(self, image_id, len(DATA), DATA[:MIB])
                with outage():
                    with contextlib.suppress(ConnectionError):      # it may answer before it has everything
                        upload.send(DATA[MIB:])
                    self.check_refusal(upload.response())
                self.check_upload(image_id)

    def test_outage_at_the_end_of_an_upload(self):
        image_id = self.client.create_image()['id']
        upload = uploading(self, image_id, len(DATA), DATA[:-1])
        with self.hanging():
            upload.send(DATA[-1:])
            self.check_refusal(upload.response())
        self.check_upload(image_id)

    def test_outage_that_ends_in_time(self):
        image_id = self.client.create_image()['id']
        upload = uploading(self, image_id, len(DATA), DATA[:MIB])
        with self.hanging():
            upload.send(DATA[MIB:2 * MIB])
        upload.send(DATA[2 * MIB:])
        self.assertEqual(204, upload.response().status)
        self.check_image(image_id)
        self.assertEqual([image_id], self.pieces())
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))

    def test_outage_during_a_download(self):
        image_id = self.client.create_image(DATA)['id']
        for outage in (self.hanging, self.dead):
            with self.subTest(outage.__name__), contextlib.ExitStack() as stack:
                response = self.client.get(f'/v2/images/{image_id}/file', stream=True)
                self.assertEqual(DATA[:MIB], response.raw.read(MIB))
                stack.enter_context(outage())
                with self.assertRaises(urllib3.exceptions.HTTPError):
                    response.raw.read()
                answer = self.assertStatus(503, self.download(image_id))
                self.assertIn('Retry-After', answer.headers)
                stack.close()
                self.check_image(image_id)
        self.assertEqual([image_id], self.pieces())
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))

    def test_outage_before_a_removal(self):
        image_id = self.client.create_image(DATA)['id']
        with self.hanging():
            self.assertStatus(503, self.client.delete(f'/v2/images/{image_id}'))
        self.assertEqual('active', self.show(image_id)['status'])
        self.check_image(image_id)
        wait_for('removal', lambda: self.client.delete(f'/v2/images/{image_id}').status_code == 204)
        self.assertEqual([], self.pieces())
