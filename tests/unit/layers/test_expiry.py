"""Images without data that nobody changes any more."""
import datetime
import unittest
from unittest import mock

from glance import exceptions
from glance.db.interface import ImageChanges
from glance.keys.disposal import KEY, POLICY
from glance.keys.service import ServiceCredentials
from glance.layers.expiry import expire_queued
from glance.tasks.leases import utcnow
from tests.unit.layers import fakes


class ExpiryTest(unittest.TestCase):

    def setUp(self):
        conf = fakes.make_conf()
        conf.set_override('queued_image_ttl', 100)
        self.notifier = mock.Mock()
        self.env = fakes.make_environment(self, conf, notifier=self.notifier)
        self.now = utcnow()

    def image(self, age, status='queued', **values):
        at = self.now - datetime.timedelta(seconds=age)
        return self.env.database.image_create({'status': status, 'owner': fakes.OWNER, 'created_at': at, 'updated_at': at, **values})['id']

    def left(self, *ids):
        found = []
        for image_id in ids:
            try:
                found.append(self.env.database.image_get(fakes.admin(), image_id)['id'])
            except exceptions.ImageNotFound:
                continue
        return found

    def test_old_ones_without_data_go(self):
        old, hidden = self.image(101), self.image(101, os_hidden=True, visibility='community', owner=None)
        kept = [self.image(99), self.image(101, protected=True)]
        kept += [self.image(101, status) for status in ('saving', 'uploading', 'importing', 'active', 'deactivated')]
        self.assertEqual(2, expire_queued(self.env, self.now))
        self.assertEqual(kept, self.left(old, hidden, *kept))
        self.assertEqual({old, hidden}, {call.args[2] for call in self.notifier.info.call_args_list})
        event, payload, _ = self.notifier.info.call_args.args
        self.assertEqual(('image.delete', 'deleted', True), (event, payload['status'], payload['deleted']))
        self.assertEqual(0, expire_queued(self.env, self.now))

    def test_a_key_goes_with_its_image(self):
        self.image(101, properties={KEY: 'key-1', POLICY: 'on_image_deletion'})
        with mock.patch.object(ServiceCredentials, 'context_for', return_value=fakes.caller()) as context_for, \
                mock.patch.object(self.env.keys, 'delete') as delete:
            self.assertEqual(1, expire_queued(self.env, self.now))
        context_for.assert_called_once_with(fakes.OWNER)
        delete.assert_called_once_with(context_for.return_value, 'key-1')

    def test_zero_keeps_them_for_ever(self):
        self.env.conf.set_override('queued_image_ttl', 0)
        image_id = self.image(10 ** 9)
        self.assertEqual(0, expire_queued(self.env))
        self.assertEqual([image_id], self.left(image_id))

    def test_an_upload_that_begins_keeps_its_image(self):
        image_id, listed = self.image(101), self.env.database.image_list

        def list_and_begin(*args):
            found = listed(*args)
            self.env.database._images[image_id]['status'] = 'saving'
            return found
        with mock.patch.object(self.env.database, 'image_list', list_and_begin):
            self.assertEqual(0, expire_queued(self.env, self.now))
        self.assertEqual([image_id], self.left(image_id))
        self.notifier.info.assert_not_called()

    def test_a_change_keeps_its_image(self):
        image_id, listed = self.image(101), self.env.database.image_list

        def list_and_protect(*args):
            found = listed(*args)
            self.env.database.image_update(image_id, ImageChanges({'protected': True}))
            return found
        with mock.patch.object(self.env.database, 'image_list', list_and_protect):
            self.assertEqual(0, expire_queued(self.env, self.now))
        self.assertEqual([image_id], self.left(image_id))
        self.notifier.info.assert_not_called()
