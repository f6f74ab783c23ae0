"""What is told of images and members: after the inner call, never when it fails; with spies above and below."""
import datetime
import types
import unittest

from glance import exceptions
from glance.domain.image import Image
from glance.domain.member import Member
from glance.layers.notification import NotifyImages, NotifyMembers
from glance.notify import payloads
from tests.unit.layers import fakes

THEN = datetime.datetime(2024, 5, 6, 7, 8, 9)
LEASE = object()
ERRORS = (exceptions.StatusConflict('i', 'saving', 'queued'), exceptions.ImageNotFound('i'),
          exceptions.DatabaseUnavailable(), KeyboardInterrupt())
# An error that ends an upload, and how the event explains it.
REASONS = (
    (exceptions.StoreFull(), str(exceptions.StoreFull())),
    (exceptions.ImageGone('i'), str(exceptions.ImageGone('i'))),
    (exceptions.ClientDisconnected(), str(exceptions.ClientDisconnected())),
    (OSError(5, 'Input/output error', '/srv/secret'), 'The upload failed because of an error inside the service.'),
    (KeyboardInterrupt(), 'The upload failed because of an error inside the service.'),
)


class Notifier:
    """Keeps what is told: (priority, event type, payload, id)."""

    def __init__(self):
        self.told = []

    def info(self, event_type, payload, about):
        self.told.append(('INFO', event_type, payload, about))

    def error(self, event_type, payload, about):
        self.told.append(('ERROR', event_type, payload, about))


def image(**values):
    stored = Image('i', created_at=THEN, updated_at=THEN, owner=fakes.OWNER, **values)
    stored.remember()
    return stored


class Base(unittest.TestCase):
    maxDiff = None

    def layer(self, **answers):
        self.notifier, self.inner = Notifier(), fakes.Spy(**answers)
        return NotifyImages(self.inner, fakes.caller(), types.SimpleNamespace(notifier=self.notifier))

    def assert_told(self, *expected):
        self.assertEqual([(*event, 'i') for event in expected], self.notifier.told)

    def types(self):
        return [event[:2] for event in self.notifier.told]


class ImageTest(Base):

    def test_add(self):
        new = Image('i', owner=fakes.OWNER)

        def store(stored):
            stored.created_at = stored.updated_at = THEN
        self.layer(add=store).add(new)
        self.assert_told(('INFO', 'image.create', payloads.of_image(new)))
        self.assertEqual('2024-05-06T07:08:09Z', self.notifier.told[0][2]['created_at'])

    def test_save(self):
        changed = image()
        changed.name = 'new'

        def store(stored, from_status):
            self.assertEqual('queued', from_status)
            stored.updated_at = THEN + datetime.timedelta(days=1)
            stored.remember()
        self.layer(save=store).save(changed, 'queued')
        self.assert_told(('INFO', 'image.update', payloads.of_image(changed)))
        self.assertEqual(('new', '2024-05-07T07:08:09Z'),
                         tuple(self.notifier.told[0][2][name] for name in ('name', 'updated_at')))

    def test_every_kind_of_change_is_told(self):
        for change in ({'name': 'x'}, {'tags': ['t']}, {'extra_properties': {'a': 'v'}}, {'visibility': 'public'}):
            changed = image()
            for name, value in change.items():
                setattr(changed, name, value)
            self.layer().save(changed)
            self.assertEqual([('INFO', 'image.update')], self.types(), change)

    def test_saving_without_a_change_tells_nothing(self):
        for stored in (image(), image(status='active', tags=['t'], extra_properties={'a': 'v'})):
            self.layer().save(stored)
            self.assertEqual((['save'], []), (self.inner.calls, self.types()))

    def test_deactivate_and_reactivate(self):
        for before, after, event in (('active', 'deactivated', 'image.deactivate'),
                                     ('deactivated', 'active', 'image.reactivate')):
            changed = image(status=before)
            changed.set_status(after)
            self.layer(save=lambda stored, from_status: stored.remember()).save(changed)
            payload = payloads.of_image(changed)
            self.assertEqual(after, payload['status'])
            self.assert_told(('INFO', 'image.update', payload), ('INFO', event, payload))
            self.layer().save(changed)
            self.assertEqual([], self.types())

    def test_other_ways_to_active(self):
        changed = image(status='queued')
        changed.status = 'active'
        self.layer().save(changed)
        self.assertEqual([('INFO', 'image.update')], self.types())

    def test_remove(self):
        gone = image(status='active', size=3)
        before = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%dT%H:%M:%SZ')

        def remove(stored, removal):
            stored.status = 'deleted'
        self.layer(finish_removal=remove).finish_removal(gone, None)
        payload = self.notifier.told[0][2]
        after = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%dT%H:%M:%SZ')
        self.assertTrue(before <= payload['deleted_at'] <= after)
        self.assert_told(('INFO', 'image.delete', {**payloads.of_image(gone), 'status': 'deleted', 'deleted': True,
                                                   'deleted_at': payload['deleted_at']}))

    def test_nothing_is_told_when_the_inner_call_fails(self):
        for error in ERRORS:
            changed = image(status='active')
            changed.name = 'new'
            for verb, arguments in (('add', ()), ('save', (None,)), ('finish_removal', (None,)), ('begin_upload', (LEASE, 's')),
                                    ('finish_upload', (LEASE,)), ('abort_upload', (LEASE, error)),
                                    ('end_download', (1, 1))):
                with self.subTest(verb=verb, error=error):
                    layer = self.layer(**{verb: error})
                    self.assertRaises(type(error), getattr(layer, verb), changed, *arguments)
                    self.assertEqual(([verb], []), (self.inner.calls, self.types()))

    def test_reading_tells_nothing(self):
        layer = self.layer()
        layer.new({})
        layer.get('i')
        layer.list(None)
        layer.data_size(image())
        layer.download(image())
        self.assertEqual([], self.types())


class UploadTest(Base):

    def begin(self, store=None):
        uploading = image(disk_format='raw', container_format='bare')

        def begin(begun, lease, to):
            self.assertEqual((LEASE, store), (lease, to))
            begun.set_status('saving')
        self.layer(begin_upload=begin).begin_upload(uploading, LEASE, store)
        return uploading

    def test_begin(self):
        for store in (None, 'fast'):
            uploading = self.begin(store)
            self.assert_told(('INFO', 'image.update', payloads.of_image(uploading)),
                             ('INFO', 'image.prepare', payloads.of_prepared_image(uploading, store)))
            self.assertEqual(['saving'] * 2, [event[2]['status'] for event in self.notifier.told])
            self.assertEqual(store, self.notifier.told[1][2].get('backend'))

    def test_finish(self):
        uploading = self.begin()

        def finish(finished, lease):
            finished.set_status('active')
        self.layer(finish_upload=finish).finish_upload(uploading, LEASE)
        self.assert_told(('INFO', 'image.upload', payloads.of_uploaded_image(uploading)),
                         ('INFO', 'image.activate', payloads.of_image(uploading)),
                         ('INFO', 'image.update', payloads.of_image(uploading)))
        self.assertEqual(['active'] * 3, [event[2]['status'] for event in self.notifier.told])

    def test_abort(self):
        for error, reason in REASONS:
            uploading = self.begin()
            self.layer(abort_upload=lambda aborted, lease, why: aborted.set_status('queued')).abort_upload(
                uploading, LEASE, error)
            self.assert_told(('ERROR', 'image.upload', reason), ('INFO', 'image.update', payloads.of_image(uploading)))
            self.assertEqual('queued', self.notifier.told[1][2]['status'])

    def test_abort_of_an_image_that_does_not_return_to_queued(self):
        uploading = self.begin()
        self.layer().abort_upload(uploading, LEASE, exceptions.ImageGone('i'))
        self.assertEqual([('ERROR', 'image.upload')], self.types())


class DownloadTest(Base):

    def test_all_or_less(self):
        for bytes_sent, length, priority in ((5, 5, 'INFO'), (0, 0, 'INFO'), (4, 5, 'ERROR'), (0, 5, 'ERROR')):
            self.layer().end_download(image(), bytes_sent, length)
            self.assert_told((priority, 'image.send', {
                'bytes_sent': bytes_sent, 'image_id': 'i', 'owner_id': fakes.OWNER, 'receiver_tenant_id': fakes.OWNER,
                'receiver_user_id': 'u'}))

    def test_where_it_went(self):
        self.layer().end_download(image(), 1, 1, '192.0.2.1')
        self.assertEqual('192.0.2.1', self.notifier.told[0][2]['destination_ip'])


class MemberTest(Base):

    def members(self, **answers):
        self.notifier, self.inner = Notifier(), fakes.Spy(**answers)
        return NotifyMembers(self.inner, fakes.caller(), types.SimpleNamespace(notifier=self.notifier), image())

    def test_add_and_save(self):
        member = Member('i', 'm')

        def store(stored):
            stored.created_at = stored.updated_at = THEN
        self.members(add=store).add(member)
        self.assert_told(('INFO', 'image.member.create', payloads.of_member(member)))
        self.assertEqual('2024-05-06T07:08:09Z', self.notifier.told[0][2]['created_at'])
        member.set_status('accepted')
        self.members().save(member)
        self.assert_told(('INFO', 'image.member.update', payloads.of_member(member)))
        self.assertEqual('accepted', self.notifier.told[0][2]['status'])

    def test_remove(self):
        member = Member('i', 'm', created_at=THEN, updated_at=THEN)
        self.members().remove(member)
        payload = self.notifier.told[0][2]
        self.assert_told(('INFO', 'image.member.delete', {**payloads.of_member(member), 'deleted': True,
                                                          'deleted_at': payload['deleted_at']}))
        self.assertRegex(payload['deleted_at'], r'\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z')

    def test_nothing_is_told_when_the_inner_call_fails(self):
        for error in ERRORS:
            for verb in ('add', 'save', 'remove'):
                members = self.members(**{verb: error})
                self.assertRaises(type(error), getattr(members, verb), Member('i', 'm'))
                self.assertEqual([], self.types())

    def test_looking_tells_nothing(self):
        members = self.members()
        members.new('m')
        members.get('m')
        members.list()
        self.assertEqual([], self.types())
