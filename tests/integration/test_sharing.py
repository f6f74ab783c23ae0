"""Two projects of a real Keystone share images through ``openstack``, ``glance`` and openstacksdk.

The commands are those of ``docs/sharing.md``.
"""

import pathlib
import shutil
import tempfile
import unittest
import uuid

from tests.harness.keystone import shared_keystone
from tests.harness.programs import Client
from tests.harness.server import GlanceServer

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'examples' / 'sharing.py'
DATA = b'every byte of it'


class SharingTestCase(unittest.TestCase):
    """One server for a class; a terminal for a user of each project."""

    @classmethod
    def setUpClass(cls):
        keystone = shared_keystone()
        cls.server = GlanceServer(flavor='keystone', settings=keystone.glance_settings())
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()
        region = keystone.publish_image_endpoint(cls.server.url)
        cls.addClassCleanup(keystone.withdraw_image_endpoint, region)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-sharing-'))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.demo, cls.alt, cls.admin = (
            Client({**keystone.environment(user), 'OS_REGION_NAME': region}, cls.folder) for user in ('demo', 'alt', 'admin'))
        cls.demo_http, cls.alt_http = (cls.server.client(keystone.token(user)) for user in ('demo', 'alt'))
        cls.demo_project, cls.alt_project = keystone.project_id('demo'), keystone.project_id('alt')


class TestCommands(SharingTestCase):

    def setUp(self):
        self.name = f'golden-{uuid.uuid4().hex[:8]}'

    def share(self, **attributes):
        """The ID of a new image of demo that alt accepted."""
        image_id = self.demo_http.create_image(DATA, name=self.name, **attributes)['id']
        members = f'/v2/images/{image_id}/members'
        self.assertEqual(200, self.demo_http.post(members, json={'member': self.alt_project}).status_code)
        answer = self.alt_http.put(f'{members}/{self.alt_project}', json={'status': 'accepted'})
        self.assertEqual(200, answer.status_code)
        return image_id

    def assertListed(self, expected, client, *options):
        rows = client.ask('image', 'list', '--name', self.name, *options)
        self.assertEqual([{'ID': image_id, 'Name': self.name, 'Status': 'active'} for image_id in expected], rows)

    def members(self, client, image):
        return [(row['Member ID'], row['Status']) for row in client.ask('image', 'member', 'list', image)]

    def test_offer_and_accept(self):
        file = self.folder / 'disk.raw'
        file.write_bytes(DATA)
        image_id = self.demo.ask('image', 'create', '--file', file, '--disk-format', 'raw', '--container-format', 'bare',
                                 '--shared', self.name)['id']
        self.assertEqual(f'No Image found for {self.name}\n', self.alt.refused('openstack', 'image', 'show', self.name))
        self.assertEqual(f'No Image found for {image_id}\n', self.alt.refused('openstack', 'image', 'show', image_id))

        member = self.demo.ask('image', 'add', 'project', self.name, self.alt_project)
        expected = {'image_id': image_id, 'member_id': self.alt_project, 'status': 'pending',
                    'schema': '/v2/schemas/member'}
        self.assertEqual(expected, {name: member[name] for name in expected})
        self.assertListed([], self.alt)
        self.assertListed([], self.alt, '--shared')
        self.assertListed([image_id], self.alt, '--member-status', 'pending')
        self.assertListed([image_id], self.alt, '--shared', '--member-status', 'all')
        shown = self.alt.ask('image', 'show', image_id)
        self.assertEqual((self.name, self.demo_project, 'shared'), (shown['name'], shown['owner'], shown['visibility']))

        self.assertEqual('', self.alt.call('openstack', 'image', 'set', '--accept', image_id))
        self.assertListed([image_id], self.alt)
        self.assertListed([image_id], self.alt, '--shared')
        self.assertListed([], self.alt, '--member-status', 'pending')
        self.assertEqual([(self.alt_project, 'accepted')], self.members(self.demo, self.name))
        self.assertEqual([(self.alt_project, 'accepted')], self.members(self.alt, self.name))

    def test_other_answers(self):
        image_id = self.share()
        self.alt.call('openstack', 'image', 'set', '--reject', self.name)
        self.assertListed([], self.alt, '--shared')
        self.assertListed([image_id], self.alt, '--shared', '--member-status', 'rejected')
        self.assertEqual([(self.alt_project, 'rejected')], self.members(self.demo, self.name))
        self.alt.call('openstack', 'image', 'set', '--pending', image_id)
        self.assertListed([image_id], self.alt, '--shared', '--member-status', 'pending')
        self.assertEqual('pending', self.demo.ask('image', 'member', 'get', self.name, self.alt_project)['status'])

    def test_only_the_member_answers(self):
        self.share()
        self.assertIn('403', self.demo.refused('openstack', 'image', 'set', '--reject', '--project', self.alt_project,
                                               self.name))
        self.assertEqual([(self.alt_project, 'accepted')], self.members(self.demo, self.name))

    def test_member_only_uses(self):
        image_id = self.share()
        for command in (('set', '--name', 'ours', self.name), ('set', '--tag', 'ours', self.name),
                        ('add', 'project', self.name, self.demo_project),
                        ('remove', 'project', self.name, self.alt_project), ('delete', self.name)):
            with self.subTest(command=command):
                self.assertIn('403', self.alt.refused('openstack', 'image', *command))
        self.alt.call('openstack', 'image', 'set', '--deactivate', self.name)  # openstacksdk is deaf to this refusal
        self.assertListed([image_id], self.alt)

    def test_an_offer_is_made_once_and_of_shared_images(self):
        image_id = self.share()
        again = self.demo.refused('openstack', 'image', 'add', 'project', self.name, self.alt_project)
        self.assertIn('409', again)
        self.demo.call('openstack', 'image', 'set', '--private', self.name)
        self.assertListed([], self.alt, '--member-status', 'all')
        self.assertIn('403', self.demo.refused('openstack', 'image', 'member', 'list', self.name))
        self.demo.call('openstack', 'image', 'set', '--shared', self.name)
        self.assertListed([image_id], self.alt)

    def test_visibilities(self):
        image_id = self.demo_http.create_image(DATA, name=self.name, visibility='community')['id']
        self.assertListed([], self.alt)
        self.assertListed([image_id], self.alt, '--community')
        self.assertListed([image_id], self.alt, '--all')
        self.assertIn('403', self.demo.refused('openstack', 'image', 'set', '--public', self.name))
        self.admin.call('openstack', 'image', 'set', '--public', image_id)
        self.assertListed([image_id], self.alt)
        self.assertListed([image_id], self.alt, '--public')
        self.demo.call('openstack', 'image', 'set', '--private', self.name)
        self.assertListed([], self.alt, '--all')

    def test_tags(self):
        image_id = self.share()
        self.demo.call('openstack', 'image', 'set', '--tag', 'lts', '--tag', 'x86_64', self.name)
        self.assertEqual({'lts', 'x86_64'}, set(self.alt.ask('image', 'show', self.name)['tags']))
        self.assertListed([image_id], self.alt, '--tag', 'lts', '--tag', 'x86_64')
        self.demo.call('openstack', 'image', 'unset', '--tag', 'x86_64', self.name)
        self.assertEqual(['lts'], self.alt.ask('image', 'show', self.name)['tags'])
        self.assertListed([], self.alt, '--tag', 'lts', '--tag', 'x86_64')
        complaint = self.demo.refused('openstack', 'image', 'unset', '--tag', 'x86_64', self.name)
        self.assertIn("'x86_64' is a nonexistent tag", complaint)

    def test_deactivate(self):
        image_id, saved = self.share(), self.folder / self.name
        self.demo.call('openstack', 'image', 'set', '--deactivate', self.name)
        self.assertEqual('deactivated', self.alt.ask('image', 'show', self.name)['status'])
        complaint = self.alt.refused('glance', 'image-download', '--file', saved, image_id)
        self.assertIn('HTTP 403 Forbidden: The requested image has been deactivated.', complaint)
        self.assertIn('Unable to download image', self.demo.refused('openstack', 'image', 'save', '--file', saved, self.name))
        self.admin.call('openstack', 'image', 'save', '--file', saved, image_id)
        self.assertEqual(DATA, saved.read_bytes())
        saved.unlink()
        self.demo.call('openstack', 'image', 'set', '--activate', self.name)
        self.alt.call('openstack', 'image', 'save', '--file', saved, self.name)
        self.assertEqual(DATA, saved.read_bytes())

    def test_hide(self):
        image_id = self.share()
        self.demo.call('openstack', 'image', 'set', '--hidden', self.name)
        for client in (self.demo, self.alt):
            self.assertListed([], client)
            self.assertListed([image_id], client, '--hidden')
            self.assertIs(True, client.ask('image', 'show', self.name)['properties']['os_hidden'])
        self.demo.call('openstack', 'image', 'set', '--unhidden', self.name)
        self.assertListed([image_id], self.alt)
        self.assertListed([], self.alt, '--hidden')

    def test_protect(self):
        image_id = self.share(protected=True)
        complaint = self.demo.refused('openstack', 'image', 'delete', self.name)
        self.assertIn('403', complaint)
        self.assertIn(f'Image {image_id} is protected and cannot be deleted', complaint)
        self.assertListed([image_id], self.alt)
        self.demo.call('openstack', 'image', 'set', '--unprotected', self.name)
        self.demo.call('openstack', 'image', 'delete', self.name)
        self.assertEqual(f'No Image found for {image_id}\n', self.alt.refused('openstack', 'image', 'show', image_id))

    def test_take_back(self):
        image_id = self.share()
        self.demo.call('openstack', 'image', 'remove', 'project', self.name, self.alt_project)
        self.assertEqual([], self.members(self.demo, self.name))
        self.assertListed([], self.alt, '--member-status', 'all')
        self.assertEqual(f'No Image found for {image_id}\n', self.alt.refused('openstack', 'image', 'show', image_id))
        self.assertIn('404', self.demo.refused('openstack', 'image', 'member', 'get', self.name, self.alt_project))
        self.demo.call('openstack', 'image', 'add', 'project', self.name, self.alt_project)
        self.assertListed([image_id], self.alt, '--member-status', 'pending')


class TestExample(SharingTestCase):

    def test_openstacksdk(self):
        printed = self.demo.call('python', EXAMPLE)
        self.assertEqual([
            "alt was offered ['golden-sdk'] and lists []",
            "accepted: alt lists ['golden-sdk'] and demo sees ['accepted']",
            "rejected: alt lists [] and demo sees ['rejected']",
            "pending: alt lists [] and demo sees ['pending']",
            "accepted: alt lists ['golden-sdk'] and demo sees ['accepted']",
            "with both tags: ['golden-sdk']",
            "tags: ['x86_64']",
            'deactivated: a download by alt answers 403',
            "reactivated: alt reads b'every byte of it'",
            "hidden: alt lists [] and among hidden images ['golden-sdk']",
            'protected: demo may not delete it',
            'no longer shared: alt finds None',
        ], printed.splitlines())
        self.assertEqual([], self.admin.ask('image', 'list', '--all', '--name', 'golden-sdk'))
