"""The states of an image and the moves between them."""
import itertools
import unittest

from glance import exceptions
from glance.domain import image as domain
from glance.domain.image import Image, Location

ALLOWED = {
    'queued': ('saving', 'uploading', 'importing', 'active', 'deleted'),
    'saving': ('active', 'killed', 'deleted', 'queued'),
    'uploading': ('importing', 'queued', 'deleted'),
    'importing': ('active', 'deleted', 'queued'),
    'active': ('pending_delete', 'deleted', 'deactivated'),
    'deactivated': ('active', 'deleted', 'pending_delete'),
    'killed': ('deleted',),
    'pending_delete': ('deleted', 'active'),
    'deleted': (),
}
NEEDS_FORMATS = tuple(itertools.product(('queued', 'uploading'), ('saving', 'importing', 'active')))


def whole(status='queued', **values):
    return Image('i', **{'status': status, 'disk_format': 'raw', 'container_format': 'bare', **values})


class StatusTest(unittest.TestCase):

    def test_there_are_nine_statuses(self):
        self.assertEqual(set(ALLOWED), set(domain.STATUSES))

    def test_every_pair(self):
        for before, after in itertools.product(ALLOWED, ALLOWED):
            with self.subTest(before=before, after=after):
                image = whole(before)
                if after in ALLOWED[before]:
                    image.set_status(after)
                    self.assertEqual(after, image.status)
                else:
                    with self.assertRaises(exceptions.InvalidImageStatusTransition) as caught:
                        image.set_status(after)
                    self.assertEqual((before, after), (caught.exception.current, caught.exception.wanted))
                    self.assertEqual(before, image.status)

    def test_both_formats_are_needed_where_data_begins(self):
        cases = ((None, 'bare', ('disk_format',)), ('raw', None, ('container_format',)),
                 (None, None, ('disk_format', 'container_format')))
        for (before, after), (disk, container, named) in itertools.product(NEEDS_FORMATS, cases):
            if after not in ALLOWED[before]:
                continue
            with self.subTest(before=before, after=after, named=named):
                image = whole(before, disk_format=disk, container_format=container)
                with self.assertRaises(exceptions.Invalid) as caught:
                    image.set_status(after)
                for name in ('disk_format', 'container_format'):
                    self.assertEqual(name in named, name in str(caught.exception))
                self.assertEqual(before, image.status)

    def test_formats_are_not_needed_for_other_moves(self):
        for before, afters in ALLOWED.items():
            for after in afters:
                if (before, after) not in NEEDS_FORMATS:
                    with self.subTest(before=before, after=after):
                        image = Image('i', status=before)
                        image.set_status(after)
                        self.assertEqual(after, image.status)

    def test_going_back_to_queued_forgets_the_data(self):
        for before in ('saving', 'uploading', 'importing'):
            with self.subTest(before=before):
                image = whole(before, size=1, virtual_size=2, checksum='c', os_hash_algo='a', os_hash_value='v')
                image.set_status('queued')
                self.assertEqual((None,) * 5, (image.size, image.virtual_size, image.checksum, image.os_hash_algo,
                                               image.os_hash_value))

    def test_other_moves_keep_the_data(self):
        image = whole('active', size=1, checksum='c')
        image.set_status('deactivated')
        image.set_status('active')
        self.assertEqual((1, 'c'), (image.size, image.checksum))

    def test_a_wrong_status_is_a_conflict_that_names_both(self):
        whole('queued').check_status('queued')
        with self.assertRaises(exceptions.StatusConflict) as caught:
            whole('active').check_status('queued')
        self.assertEqual(('active', 'queued'), (caught.exception.current, caught.exception.wanted))


class ActionTest(unittest.TestCase):

    def test_every_status(self):
        for action, before, after in ((Image.deactivate, 'active', 'deactivated'),
                                      (Image.reactivate, 'deactivated', 'active')):
            for status in domain.STATUSES:
                with self.subTest(action=action.__name__, status=status):
                    image = Image('i', status=status)
                    if status in (before, after):
                        action(image)
                        self.assertEqual(after, image.status)
                    else:
                        with self.assertRaises(exceptions.Forbidden) as caught:
                            action(image)
                        self.assertIn(status, str(caught.exception))
                        self.assertEqual(status, image.status)


class SharingTest(unittest.TestCase):

    def test_only_shared_images_have_members(self):
        Image('i', visibility='shared').check_shared()
        for visibility in ('private', 'community', 'public'):
            self.assertRaises(exceptions.Forbidden, Image('i', visibility=visibility).check_shared)


class FormatTest(unittest.TestCase):

    def test_formats_are_open_until_there_is_data(self):
        for status in domain.STATUSES:
            for name in ('disk_format', 'container_format'):
                with self.subTest(status=status, name=name):
                    image = whole(status)
                    if status in ('queued', 'importing'):
                        image.set_format(name, None)
                        self.assertIsNone(getattr(image, name))
                    else:
                        self.assertRaises(exceptions.Forbidden, image.set_format, name, None)
                        self.assertIsNotNone(getattr(image, name))


class ProtectionTest(unittest.TestCase):

    def test_a_protected_image_cannot_be_deleted(self):
        Image('i').check_deletable()
        with self.assertRaises(exceptions.ProtectedImageDelete) as caught:
            Image('i-1', protected=True).check_deletable()
        self.assertIsInstance(caught.exception, exceptions.Forbidden)
        self.assertIn('i-1', str(caught.exception))


class DefaultsTest(unittest.TestCase):

    def test_a_new_image(self):
        image = Image('i')
        self.assertEqual(('queued', 'shared', None, 0, 0, False, False),
                         (image.status, image.visibility, image.owner, image.min_disk, image.min_ram, image.protected,
                          image.os_hidden))

    def test_images_share_no_collections(self):
        first, second = Image('1'), Image('2')
        first.tags.append('t')
        first.extra_properties['k'] = 'v'
        first.locations.append(Location('file:///x'))
        self.assertEqual(([], {}, []), (second.tags, second.extra_properties, second.locations))
