"""``glance-manage store audit`` beside a running service."""
import json
import os
import shutil
import time
import uuid

from glance.db.interface import ImageChanges
from glance.db.sqlalchemy.database import SQLDatabase
from tests.functional.api.base import ApiTestCase, on_every_database, uploading, wait_for

DATA = b'0123456789'
DONE, FAILED, FOUND = 0, 1, 3


class AuditTestCase(ApiTestCase):

    def audit(self, *arguments, code=DONE):
        """Run an audit that must end with *code*; return its findings, and the summary."""
        done = self.server.run('glance.cmd.manage', 'store', 'audit', '--json', *arguments)
        self.assertEqual(code, done.returncode, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        if code == FAILED:
            return done.stderr
        *findings, summary = (json.loads(line) for line in done.stdout.splitlines())
        return findings, summary

    def orphan(self, age=7200, folder=None):
        """Data that no record knows; return the id it is named by."""
        name = str(uuid.uuid4())
        self.old((folder or self.server.images) / name, age)
        return name

    def old(self, path, age=7200):
        path.write_bytes(DATA)
        os.utime(path, (time.time() - age,) * 2)

    def found(self, findings):
        return {(finding['kind'], finding['image_id'], finding['state']) for finding in findings}

    def path(self, image_id):
        return self.server.images / image_id


@on_every_database
class Audit(AuditTestCase):

    def tearDown(self):
        for image in self.client.get('/v2/images').json()['images']:
            self.client.delete(f'/v2/images/{image["id"]}')
        super().tearDown()

    def test_stores_and_records_that_agree(self):
        self.client.create_image(DATA)
        self.client.create_image()
        self.assertEqual(([], {'findings': 0, 'left': 0, 'orphaned_bytes': 0}), self.audit())

    def test_data_without_a_record(self):
        kept = self.client.create_image(DATA)['id']
        os.utime(self.path(kept), (time.time() - 7200,) * 2)
        orphan, young = self.orphan(), self.orphan(age=60)
        findings, summary = self.audit(code=FOUND)
        self.assertEqual({('orphan', orphan, 'found')}, self.found(findings))
        self.assertEqual((1, 10), (summary['left'], summary['orphaned_bytes']))
        self.assertTrue(self.path(orphan).exists())
        findings, _ = self.audit('--delete-orphans')
        self.assertEqual({('orphan', orphan, 'removed')}, self.found(findings))
        self.assertFalse(self.path(orphan).exists())
        self.assertTrue(self.path(young).exists())
        self.assertEqual(DATA, self.download(kept).content)
        self.path(young).unlink()

    def test_records_without_data(self):
        kept, protected, lost = (self.client.create_image(DATA)['id'] for _ in range(3))
        self.patch(protected, {'op': 'replace', 'path': '/protected', 'value': True})
        database = SQLDatabase.from_url(self.server.database.url)
        self.addCleanup(database.close)
        database.image_update(kept, ImageChanges(add_locations=[{'url': f'file://{self.path(str(uuid.uuid4()))}'}]))
        for image_id in (protected, lost):
            self.path(image_id).unlink()
        findings, _ = self.audit(code=FOUND)
        self.assertEqual({('missing', kept, 'found'), ('missing', lost, 'found'), ('missing', protected, 'kept')},
                         self.found(findings))
        # Three of four records: somebody may have forgotten to mount something.
        findings, _ = self.audit('--remove-dead-records', code=FOUND)
        self.assertEqual({'kept'}, {finding['state'] for finding in findings})
        findings, _ = self.audit('--remove-dead-records', '--force', code=FOUND)
        self.assertEqual({('missing', kept, 'removed'), ('missing', lost, 'removed'), ('missing', protected, 'kept')},
                         self.found(findings))
        self.assertStatus(404, self.client.get(f'/v2/images/{lost}'))
        self.assertEqual(DATA, self.download(kept).content)
        self.patch(protected, {'op': 'replace', 'path': '/protected', 'value': False})

    def patch(self, image_id, *operations):
        self.assertStatus(200, self.client.patch(f'/v2/images/{image_id}', list(operations)))

    def test_uploads_and_images_that_wait_for_the_scrubber_are_left_alone(self):
        image_id = self.client.create_image()['id']
        upload = uploading(self, image_id, None)
        wait_for('its file', lambda: list(self.server.images.glob('.%s.*.part' % image_id)))
        # As if the data had been published long ago, and the record were still to be written.
        self.old(self.path(image_id))
        waiting = self.client.create_image(DATA)['id']
        database = SQLDatabase.from_url(self.server.database.url)
        self.addCleanup(database.close)
        database.image_remove(waiting, 'pending_delete')
        os.utime(self.path(waiting), (time.time() - 7200,) * 2)
        findings, _ = self.audit('--delete-orphans', code=FOUND)
        self.assertEqual({('orphan', image_id, 'kept')}, self.found(findings))
        self.assertIn('saving', findings[0]['reason'])
        self.assertTrue(self.path(waiting).exists())
        self.path(image_id).unlink()
        self.assertEqual(204, upload.finish().status)
        self.assertEqual(204, self.client.delete(f'/v2/images/{image_id}').status_code)


class ToolTest(AuditTestCase):

    def test_a_state_of_something_else(self):
        state = self.server.folder / 'not.state'
        state.write_text('no database' * 100)
        self.assertIn('cannot be used', self.audit('--resume', str(state), code=FAILED))
        self.assertTrue(state.exists())

    def test_staging(self):
        orphan = self.orphan(folder=self.server.folder / 'staging')
        findings, _ = self.audit('--store', 'staging', '--delete-orphans')
        self.assertEqual({('orphan', orphan, 'removed')}, self.found(findings))

    def test_wrong_uses(self):
        for arguments, words in ((('--store', 'nowhere'), "no store 'nowhere'"), (('--grace', '5'), 'too short')):
            self.assertIn(words, self.audit(*arguments, code=FAILED))
        self.assertEqual(2, self.server.manage('store').returncode)

    def test_a_store_that_is_not_mounted(self):
        image_id = self.client.create_image(DATA)['id']
        away = self.server.images.with_name('away')
        self.server.images.rename(away)
        self.server.images.mkdir()
        try:
            self.assertIn('is its file system mounted?', self.audit('--remove-dead-records', code=FAILED))
        finally:
            shutil.rmtree(self.server.images)
            away.rename(self.server.images)
        self.assertEqual(DATA, self.download(image_id).content)


class UnlistableTest(AuditTestCase):
    SETTINGS = {'glance_store': {'stores': 'file,http'}}

    def test_a_store_that_cannot_list_what_it_holds(self):
        self.assertIn('cannot list what it holds', self.audit('--store', 'http', code=FAILED))
        done = self.server.manage('store', 'audit')
        self.assertEqual((DONE, True), (done.returncode, 'Store http is left out' in done.stderr), done.stderr)
