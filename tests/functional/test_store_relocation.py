"""``glance-manage store copy`` and ``store move`` beside a running service, and ``db locations-relabel``."""
import json
import os
import signal
import subprocess
import sys
import uuid

from glance.db.interface import ImageChanges
from tests.functional.api.base import on_every_database, stored_files, wait_for
from tests.functional.api.test_several_stores import DATA, StoresTestCase
from tests.harness.server import environment

DONE, FAILED, USAGE, LEFT = 0, 1, 2, 3
LOCK = 'os_glance_import_task'


class RelocationTestCase(StoresTestCase):

    def manage(self, *arguments, code=DONE):
        """Run glance-manage with the configuration of the API; what it printed, or its error."""
        done = self.server.run('glance.cmd.manage', *arguments)
        self.assertEqual(code, done.returncode, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        return done.stderr if code in (FAILED, USAGE) else done.stdout

    def relocate(self, action, *arguments, source='fast', target='cheap', code=DONE):
        """Copy or move; the outcomes by image, and the summary."""
        printed = self.manage('store', action, '--json', '--from', source, '--to', target, *arguments, code=code)
        if code in (FAILED, USAGE):
            return printed
        *outcomes, summary = map(json.loads, printed.splitlines())
        return {outcome['image_id']: outcome for outcome in outcomes}, summary

    def files(self, store):
        return stored_files(self.folders[store])

    def tearDown(self):
        for image in self.client.get('/v2/images').json()['images']:
            self.client.delete(f'/v2/images/{image["id"]}')
        super().tearDown()


@on_every_database
class Relocation(RelocationTestCase):
    PROJECTS = True

    def test_copy_and_move(self):
        first, second = self.image('fast'), self.image('fast')
        other = self.client.create_image(DATA)['id']
        queued = self.owner.create_image()['id']
        outcomes, summary = self.relocate('copy', '--all', '--dry-run')
        self.assertEqual({first: 'planned', second: 'planned', other: 'planned'},
                         {image_id: outcome['state'] for image_id, outcome in outcomes.items()})
        self.assertEqual((30, []), (summary['bytes'], self.files('cheap')))
        outcomes, summary = self.relocate('copy', '--image', first)
        self.assertEqual({'action': 'copy', 'from': 'fast', 'to': 'cheap', 'image_id': first, 'state': 'done', 'size': 10,
                          'reason': None}, outcomes[first])
        self.assertEqual('fast,cheap', self.stores(first))
        outcomes, summary = self.relocate('move', '--owner', 'p-owner')
        self.assertEqual({first: 'done', second: 'done'}, {name: each['state'] for name, each in outcomes.items()})
        self.assertEqual({'done': 2, 'planned': 0, 'present': 0, 'left': 0, 'bytes': 20}, summary)
        self.assertEqual(([other], sorted((first, second))), (self.files('fast'), self.files('cheap')))
        for image_id in (first, second):
            image = self.show(image_id)
            self.assertEqual(('cheap', 'active', None), (image['stores'], image['status'], image.get(LOCK)))
            self.assertEqual(DATA, self.download(image_id).content)
        outcomes, summary = self.relocate('move', '--all', '--rate', '1M')
        self.assertEqual([other], list(outcomes))
        self.assertEqual([], self.files('fast'))
        self.assertEqual('queued', self.show(queued)['status'])
        self.assertEqual({}, self.relocate('move', '--all')[0])
        outcomes, _ = self.relocate('copy', '--image', first, source='cheap', target='fast')
        self.assertEqual(['done'], [outcome['state'] for outcome in outcomes.values()])
        self.assertEqual('fast,cheap', self.stores(first))

    def test_what_is_left_and_why(self):
        damaged, busy, full = (self.image('fast') for _ in range(3))
        (self.folders['fast'] / damaged).write_bytes(b'XXXXXXXXXX')
        self.database.image_update(busy, ImageChanges(set_properties={LOCK: 'some-task'}))
        for number in range(9):
            self.add_location(full, 'file://%s/%s' % (self.folders['cheap'].parent / 'elsewhere', number), {})
        orphaned = self.image('fast')
        (self.folders['cheap'] / orphaned).write_bytes(b'of somebody')
        self.assertIn('--all', self.relocate('move', '--all', '--image', busy, code=FAILED))
        outcomes, summary = self.relocate('move', '--all', code=LEFT)
        reasons = {image_id: outcome['reason'] for image_id, outcome in outcomes.items() if outcome['state'] == 'left'}
        self.assertEqual({damaged, busy, full, orphaned}, set(reasons))
        for image_id, word in ((damaged, 'hash'), (busy, 'some-task'), (full, 'image_location_quota'), (orphaned, 'audit')):
            self.assertIn(word, reasons[image_id])
        self.assertEqual([orphaned], self.files('cheap'))
        self.assertEqual(4, len(self.files('fast')))
        for image_id in (damaged, full, orphaned):
            self.assertNotIn(LOCK, self.show(image_id))
        (self.folders['cheap'] / orphaned).unlink()
        unknown = str(uuid.uuid4())
        outcomes, _ = self.relocate('copy', '--image', unknown, '--image', orphaned, code=LEFT)
        self.assertEqual(('left', 'done'), (outcomes[unknown]['state'], outcomes[orphaned]['state']))
        self.database.image_update(busy, ImageChanges(remove_properties=[LOCK]))

    def test_data_that_is_in_both_stores_already(self):
        same, differing = self.image('fast', 'cheap'), self.image('fast', 'cheap')
        (self.folders['cheap'] / same).write_bytes(DATA)
        self.assertEqual({same: 'present', differing: 'present'},
                         {name: each['state'] for name, each in self.relocate('copy', '--all')[0].items()})
        outcomes, _ = self.relocate('move', '--all', code=LEFT)
        self.assertEqual(('done', 'left'), (outcomes[same]['state'], outcomes[differing]['state']))
        self.assertEqual(('cheap', 'fast,cheap'), (self.stores(same), self.stores(differing)))

    def test_relabel(self):
        old, right = self.image('fast'), self.image('fast')
        for image_id, metadata in ((old, {'store': 'of-another-time', 'kept': 'x'}), (right, {'store': 'fast'})):
            record = self.database.image_get(Admin, image_id)['locations'][0]
            self.database.image_update(image_id, ImageChanges(update_locations=[{**record, 'metadata': metadata}]))
        self.assertIn('1 locations would be relabelled', self.manage('db', 'locations-relabel', '--dry-run'))
        printed = self.manage('db', 'locations-relabel', '--max-rows', '5')
        self.assertIn('image %s' % old, printed)
        self.assertIn('of-another-time -> fast', printed)
        self.assertEqual({'store': 'fast', 'kept': 'x'}, self.database.image_get(Admin, old)['locations'][0]['metadata'])
        self.assertIn('0 locations relabelled', self.manage('db', 'locations-relabel'))


class Admin:
    is_admin, owner = True, None


class Interrupted(RelocationTestCase):
    """Big enough images, read slowly enough, to do something meanwhile."""

    SIZE = 4 << 20

    def begin(self, image_id, *arguments):
        """Start to move everything, which would take minutes; return when it works on this image."""
        self.server.write_config()
        process = subprocess.Popen(
            [sys.executable, '-m', 'glance.cmd.manage', '--config-file', str(self.server.config_file), 'store', 'move', '--all',
             *arguments, '--from', 'fast', '--to', 'cheap', '--rate', '40000', '--json'], cwd=self.server.folder, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        wait_for('the lock', lambda: process.poll() is not None or LOCK in self.show(image_id))
        self.assertIsNone(process.poll())
        return process

    def big(self):
        return self.client.create_image(os.urandom(self.SIZE))['id']

    def test_ended_and_resumed(self):
        images = [self.client.create_image(DATA)['id'], self.big()]
        state = self.server.folder / 'state'
        process = self.begin(images[1], '--resume', str(state))
        process.send_signal(signal.SIGTERM)
        printed, errors = process.communicate(timeout=60)
        self.assertEqual(LEFT, process.returncode, errors)
        self.assertEqual(1, json.loads(printed.splitlines()[-1])['done'])
        self.assertEqual([images[0]], self.files('cheap'))
        self.assertNotIn(LOCK, self.show(images[1]))
        self.assertIn('other arguments', self.relocate('copy', '--all', '--resume', str(state), code=FAILED))
        outcomes, summary = self.relocate('move', '--all', '--resume', str(state))
        self.assertEqual([images[1]], list(outcomes))
        self.assertEqual(([], sorted(images)), (self.files('fast'), self.files('cheap')))
        self.assertFalse(state.exists())

    def test_killed_and_begun_again(self):
        image_id = self.big()
        process = self.begin(image_id)
        process.kill()
        process.communicate()
        self.assertIn(LOCK, self.show(image_id))
        self.assertStatus(409, self.client.delete(f'/v2/stores/fast/{image_id}'))
        self.relocate('move', '--all')
        self.assertEqual(([], [image_id]), (self.files('fast'), self.files('cheap')))
        self.assertNotIn(LOCK, self.show(image_id))

    def test_deleted_in_the_middle(self):
        image_id = self.big()
        process = self.begin(image_id)
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        # It notices after some seconds; it need not take minutes.
        printed, errors = process.communicate(timeout=90)
        self.assertEqual(DONE, process.returncode, errors)
        self.assertEqual(([], []), (self.files('fast'), self.files('cheap')))

    def test_two_at_a_time(self):
        image_id = self.big()
        process = self.begin(image_id)
        outcomes, _ = self.relocate('move', '--all', code=LEFT)
        self.assertIn('worked on by task', outcomes[image_id]['reason'])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual('fast', self.stores(image_id))


class Delayed(RelocationTestCase):
    OPTIONS = {'delayed_delete': True}

    def test_old_data_waits_for_the_scrubber(self):
        image_id = self.image('fast')
        outcomes, _ = self.relocate('move', '--all')
        self.assertIn('glance-scrubber', outcomes[image_id]['reason'])
        self.assertEqual('cheap', self.stores(image_id))
        self.assertEqual([image_id], self.files('fast'))
        outcomes, _ = self.relocate('move', '--all', source='cheap', target='fast', code=LEFT)
        self.assertEqual('cheap', self.stores(image_id))
        self.assertEqual(DATA, self.download(image_id).content)


class Refused(RelocationTestCase):

    def test_arguments(self):
        for arguments, word in (
                ((), '--all'), (('--all', '--owner', 'x'), '--all'), (('--all', '--to', 'nowhere'), 'nowhere'),
                (('--all', '--to', 'os_glance_staging_store'), 'os_glance'), (('--all', '--to', 'fast'), 'two stores'),
                (('--all', '--to', 'web'), 'written'), (('--all', '--resume', '/dev/full/x'), '--resume')):
            self.assertIn(word, self.relocate('copy', *arguments, code=FAILED))
        self.assertIn('20M', self.relocate('copy', '--all', '--rate', '1X', code=USAGE))
        self.assertIn('copy', self.server.run('glance.cmd.manage', 'store').stdout)
