"""``glance-scrubber`` beside a running service, on every database: what it removes, leaves, repeats and shares."""
import datetime
import pathlib
import subprocess
import sys
import uuid

import sqlalchemy as sa

from glance.db.sqlalchemy.database import SQLDatabase
from glance.tasks import leases
from tests.functional.api.base import ApiTestCase, on_every_database, stored_files, wait_for
from tests.functional.api.test_removal import DATA, states
from tests.harness.server import environment

DONE, FAILED, INCOMPLETE = 0, 1, 3


class ScrubberTestCase(ApiTestCase):
    SETTINGS = {'DEFAULT': {'delayed_delete': True}}

    def deleted(self, count=1, **values):
        """Make images with data and delete them; return their ids."""
        image_ids = [self.client.create_image(DATA, **values)['id'] for _ in range(count)]
        for image_id in image_ids:
            self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        return image_ids

    def configured(self, **options):
        """A configuration file of a scrubber on another node: with a lock of its own."""
        path = self.server.folder / f'scrubber-{uuid.uuid4().hex[:8]}.conf'
        lines = [f'{name} = {value}' for name, value in options.items()]
        path.write_text('\n'.join(['[DEFAULT]', *lines, '[oslo_concurrency]', f'lock_path = {path}.locks', '']))
        return path

    def start(self, *arguments, **options):
        """Start a scrubber without waiting for it."""
        command = [sys.executable, '-m', 'glance.cmd.scrubber', '--config-file', str(self.server.config_file),
                   '--config-file', str(self.configured(**options)), *arguments]
        process = subprocess.Popen(command, cwd=self.server.folder, env=environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def clean():
            process.kill()
            process.communicate()
        self.addCleanup(clean)
        return process

    def scrub(self, *arguments, code=DONE, **options):
        """Run a scrubber that must end with *code*; return what it wrote."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=300)
        self.assertEqual(code, process.returncode, err)
        self.assertNotIn('Traceback', err)
        return out + err

    def states(self, image_ids):
        return states(self.server, image_ids)

    def assertScrubbed(self, image_ids):
        self.assertEqual({('deleted', True, ('deleted',))},
                         {(status, deleted, tuple(locations)) for status, deleted, locations in self.states(image_ids).values()})
        self.assertFalse(set(image_ids) & set(stored_files(self.server.images)))

    def assertPending(self, image_ids):
        self.assertEqual({('pending_delete', True, ('pending_delete',))},
                         {(status, deleted, tuple(locations)) for status, deleted, locations in self.states(image_ids).values()})

    def execute(self, statement, **values):
        engine = sa.create_engine(self.server.database.url, poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            return connection.execute(sa.text(statement), values)

    def age(self, image_id, seconds):
        """Let an image have been deleted earlier than it was."""
        earlier = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.timedelta(seconds=seconds)
        for table, column in (('images', 'id'), ('image_locations', 'image_id')):
            self.execute(f'UPDATE {table} SET deleted_at = :earlier WHERE {column} = :id', earlier=earlier, id=image_id)


@on_every_database
class Scrubbing(ScrubberTestCase):
    SETTINGS = {'DEFAULT': {'delayed_delete': True, 'show_multiple_locations': True}}

    def test_a_run_removes_what_waits_and_nothing_else(self):
        kept = self.client.create_image(DATA)['id']
        image_ids = self.deleted(3)
        self.assertIn(image_ids[0], self.scrub('--dry-run'))
        self.assertPending(image_ids)
        self.assertIn('3 images are scrubbed', self.scrub(scrub_pool_size=2))
        self.assertScrubbed(image_ids)
        self.assertEqual(DATA, self.download(kept).content)

    def test_not_before_its_time(self):
        young, old = self.deleted(2)
        self.age(old, 7200)
        self.scrub(scrub_time=3600)
        self.assertPending([young])
        self.assertScrubbed([old])

    def test_data_that_is_gone_already_counts_as_removed(self):
        image_id, = self.deleted()
        (self.server.images / image_id).unlink()
        self.assertIn('gone already', self.scrub('--debug'))
        self.assertScrubbed([image_id])

    def test_what_a_store_refuses_is_tried_again_and_the_rest_goes_on(self):
        image_ids = self.deleted(4)
        stubborn = self.server.images / image_ids[1]
        # Even root cannot unlink a directory.
        stubborn.unlink()
        stubborn.mkdir()
        self.assertIn(image_ids[1], self.scrub(code=INCOMPLETE))
        self.assertPending(image_ids[1:2])
        self.assertScrubbed([image_ids[0], *image_ids[2:]])
        stubborn.rmdir()
        stubborn.write_bytes(DATA)
        self.scrub()
        self.assertScrubbed(image_ids)

    def test_two_scrubbers_share_the_work(self):
        image_ids = self.deleted(130)
        processes = [self.start(scrub_pool_size=2) for _ in range(2)]
        counts = []
        for process in processes:
            _, err = process.communicate(timeout=300)
            self.assertEqual(DONE, process.returncode, err)
            self.assertNotIn('gone already', err)
            counts.append(int(err.rpartition(' images are scrubbed')[0].rsplit(' ', 1)[-1]))
        self.assertEqual(len(image_ids), sum(counts))
        self.assertScrubbed(image_ids)

    def test_killed_and_run_again(self):
        image_ids = self.deleted(60)
        process = self.start(scrub_pool_size=2)
        wait_for('some images scrubbed', lambda: len(set(image_ids) & set(stored_files(self.server.images))) < 57)
        process.kill()
        process.wait()
        for image_id, (status, _, locations) in self.states(image_ids).items():
            with self.subTest(image_id):
                # What a record calls deleted is gone; what is gone may still be pending.
                self.assertIn((status, locations), (('deleted', ['deleted']), ('pending_delete', ['pending_delete'])))
                if status == 'deleted':
                    self.assertNotIn(image_id, stored_files(self.server.images))
        # The claims of the dead one do not keep its successor on this machine waiting.
        self.scrub()
        self.assertScrubbed(image_ids)
        self.assertEqual(0, self.leases())

    def leases(self):
        engine = sa.create_engine(self.server.database.url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            return connection.scalar(sa.text('SELECT COUNT(*) FROM image_leases'))

    def test_terminated_in_the_middle(self):
        image_ids = self.deleted(60)
        process = self.start()
        wait_for('some images scrubbed', lambda: len(set(image_ids) & set(stored_files(self.server.images))) < 57)
        process.terminate()
        _, err = process.communicate(timeout=60)
        self.assertEqual(DONE, process.returncode, err)
        self.assertEqual(0, self.leases())
        for image_id, (status, _, _) in self.states(image_ids).items():
            self.assertEqual(status == 'deleted', image_id not in stored_files(self.server.images))
        self.scrub()
        self.assertScrubbed(image_ids)

    def test_restored_with_everything(self):
        image_id, = self.deleted(tags=['t'], p='v')
        self.scrub('--restore', image_id)
        found = self.show(image_id)
        self.assertEqual(('active', ['t'], 'v'), (found['status'], found['tags'], found['p']))
        self.assertEqual(DATA, self.download(image_id).content)
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))

    def test_what_cannot_be_restored(self):
        live = self.client.create_image(DATA)['id']
        gone, = self.deleted()
        self.scrub()
        lost, = self.deleted()
        (self.server.images / lost).unlink()
        for image_id, words in ((live, "'active'"), (gone, "'deleted'"), (lost, 'data of image %s is gone' % lost),
                                (str(uuid.uuid4()), 'No image found'), ('x' * 99, 'No image found')):
            with self.subTest(words):
                self.assertIn(words, self.scrub('--restore', image_id, code=FAILED))
        self.assertScrubbed([lost])

    def test_a_single_location_that_was_removed(self):
        image_id = self.client.create_image(DATA)['id']
        other = str(uuid.uuid4())
        (self.server.images / other).write_bytes(DATA)
        self.add_location(image_id, f'file://{self.server.images}/{other}')
        self.assertStatus(200, self.client.patch(
            f'/v2/images/{image_id}', [{'op': 'remove', 'path': '/locations/1'}]))
        self.assertIn(other, stored_files(self.server.images))
        self.assertEqual({image_id: ('active', False, ['active', 'pending_delete'])}, self.states([image_id]))
        self.scrub()
        self.assertNotIn(other, stored_files(self.server.images))
        self.assertEqual({image_id: ('active', False, ['active', 'deleted'])}, self.states([image_id]))
        self.assertEqual(DATA, self.download(image_id).content)

    def add_location(self, image_id, url):
        """As an import into another store will do."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self.execute('INSERT INTO image_locations (image_id, value, meta_data, status, created_at, updated_at, deleted)'
                     " VALUES (:id, :url, '{}', 'active', :now, :now, :false)", id=image_id, url=url, now=now, false=False)


class DaemonTest(ScrubberTestCase):
    """The daemon, and what the scrubbers of one node know of each other."""

    def test_run_after_run_until_terminated(self):
        process = self.start('--daemon', wakeup_time=0)
        for _ in range(2):
            image_ids = self.deleted(2)
            wait_for('scrubbed', lambda image_ids=image_ids: all(
                status == 'deleted' for status, _, _ in self.states(image_ids).values()))
            self.assertScrubbed(image_ids)
        process.terminate()
        self.assertEqual(DONE, process.wait(60))

    def test_one_at_a_time_on_a_node(self):
        image_id, = self.deleted()
        daemon = self.start('--daemon', wakeup_time=600)
        wait_for('scrubbed', lambda: self.states([image_id])[image_id][0] == 'deleted')
        config = pathlib.Path(daemon.args[daemon.args.index('--config-file', 5) + 1])
        for arguments in ((), ('--restore', image_id), ('--daemon',)):
            done = subprocess.run([*daemon.args[:7], *arguments], env=environment(), capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual(FAILED, done.returncode, done.stderr)
            self.assertIn('ERROR: Another glance-scrubber runs on this node', done.stderr)
        self.assertTrue(config.exists())
        daemon.kill()
        daemon.wait()
        # The lock of a dead process is nobody's.
        self.assertEqual(DONE, subprocess.run(daemon.args[:7], env=environment(), capture_output=True, timeout=60).returncode)

    def test_wrong_uses(self):
        for arguments, code, words in (
                (('--daemon', '--restore', 'x'), FAILED, 'only one'), (('--dry-run', '--daemon'), FAILED, 'only one'),
                (('--bogus',), 2, 'usage'), (('--restore',), 2, 'usage')):
            with self.subTest(arguments):
                self.assertIn(words, self.scrub(*arguments, code=code))

    def test_without_a_database(self):
        broken = self.configured()
        broken.write_text(broken.read_text() + '[DEFAULT]\ndata_api = glance.db.sqlalchemy.api\n[database]\nconnection = mysql+pymysql://glance:s3cret@127.0.0.1:1/glance\n')
        done = subprocess.run([sys.executable, '-m', 'glance.cmd.scrubber', '--config-file', str(self.server.config_file),
                               '--config-file', str(broken)], env=environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(FAILED, done.returncode, done.stderr)
        self.assertIn('ERROR: The database cannot be reached', done.stderr)
        self.assertNotIn('s3cret', done.stderr)

    def test_without_a_lock_path(self):
        path = self.configured()
        path.write_text('[oslo_concurrency]\nlock_path =\n')
        done = subprocess.run([sys.executable, '-m', 'glance.cmd.scrubber', '--config-file', str(self.server.config_file),
                               '--config-file', str(path)], env=environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(DONE, done.returncode, done.stderr)
        self.assertIn('lock_path is not set', done.stderr)


class InterruptedTest(ScrubberTestCase):
    """Deletions of a service that was killed, without delayed delete."""

    SETTINGS = {}

    def test_the_scrubber_finishes_them(self):
        """The record that a service leaves which is killed while it deletes: pending, with the lease of its process."""
        image_id = self.client.create_image(DATA)['id']
        worker = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        self.addCleanup(worker.communicate)
        self.remove(image_id, acquire=leases.new_lease(image_id, leases.worker_name(worker.pid)))
        self.scrub()
        self.assertPending([image_id])
        worker.kill()
        worker.wait()
        self.scrub()
        self.assertScrubbed([image_id])

    def remove(self, image_id, **arguments):
        database = SQLDatabase.from_url(self.server.database.url)
        self.addCleanup(database.close)
        database.image_remove(image_id, 'pending_delete', **arguments)

    def await_scrubbing(self):
        image_id = self.client.create_image(DATA)['id']
        self.remove(image_id)
        wait_for('scrubbed', lambda: self.states([image_id])[image_id][0] == 'deleted')

    def test_deletions_that_go_on_are_left_alone(self):
        """A scrubber that runs all the time removes nothing that its store still refuses to the service."""
        process = self.start('--daemon', wakeup_time=0)
        self.await_scrubbing()
        for _ in range(5):
            image_id = self.client.create_image(DATA)['id']
            path = self.server.images / image_id
            path.unlink()
            path.mkdir()
            self.assertStatus(403, self.client.delete(f'/v2/images/{image_id}'))
            self.assertEqual({image_id: ('active', False, ['active'])}, self.states([image_id]))
        process.terminate()
        self.assertEqual(DONE, process.wait(60))
