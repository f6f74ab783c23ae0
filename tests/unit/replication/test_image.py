import hashlib
import unittest

from glance.replication.data import verified
from glance.replication.errors import DataDiffers
from glance.replication.image import changes, differences, from_v1, writable

IMAGE = {
    'id': '1', 'name': 'one', 'status': 'active', 'size': 4, 'checksum': 'c', 'os_hash_algo': 'sha512', 'os_hash_value': 'h',
    'visibility': 'private', 'protected': False, 'os_hidden': False, 'owner': 'o', 'min_ram': 0, 'min_disk': 0, 'tags': ['a', 'b'],
    'disk_format': 'raw', 'container_format': 'bare', 'self': '/v2/images/1', 'file': '/f', 'schema': '/s', 'stores': 'fast',
    'direct_url': 'file:///x', 'locations': [], 'os_glance_importing_to_stores': '', 'distro': 'x'}
V1 = {'id': '1', 'name': 'one', 'is_public': False, 'properties': {'distro': 'x'}, 'deleted': False, 'deleted_at': None}


class Differences(unittest.TestCase):

    def compared(self, *ignored: str, **others) -> list[str]:
        return list(differences(IMAGE, {**IMAGE, **others}, ignored))

    def test_what_belongs_to_a_service_does_not_count(self):
        self.assertEqual([], self.compared(file='/image/f', stores='slow', direct_url='y', locations=[1],
                                           os_glance_importing_to_stores='z', tags=['b', 'a']))

    def test_names(self):
        self.assertEqual(['checksum', 'distro', 'name', 'os_hash_value', 'status', 'tags'], self.compared(
            name='two', checksum='d', os_hash_value='i', status='queued', tags=[], distro=None))
        self.assertEqual(['name'], self.compared('distro', 'tags', name='two', tags=[], distro='y'))

    def test_hashes_of_different_algorithms(self):
        self.assertEqual([], self.compared(os_hash_algo='sha256', os_hash_value='i'))

    def test_properties_count_when_one_lacks_them(self):
        lacking = {name: value for name, value in IMAGE.items() if name not in ('distro', 'os_hidden', 'tags')}
        self.assertEqual(['distro'], list(differences(IMAGE, lacking)))
        self.assertEqual(['distro'], list(differences(lacking, IMAGE)))

    def test_with_v1(self):
        self.assertEqual([], list(differences(IMAGE, from_v1(V1))))
        self.assertEqual(['visibility'], list(differences(IMAGE, from_v1({**V1, 'is_public': True}))))
        self.assertEqual([], list(differences({**IMAGE, 'visibility': 'public'}, from_v1({**V1, 'is_public': True}))))


class Writing(unittest.TestCase):

    def test_what_a_new_image_gets(self):
        self.assertEqual({'name', 'visibility', 'protected', 'os_hidden', 'min_ram', 'min_disk', 'tags', 'disk_format',
                          'container_format', 'distro'}, writable(IMAGE, ('owner',)).keys())
        self.assertEqual({'name': 'one', 'distro': 'x'}, writable(from_v1(V1), ()))

    def test_changes(self):
        target = {**IMAGE, 'name': 'two', 'status': 'queued', 'size': 5, 'extra': 'y', 'mine': 'z'}
        self.assertEqual({'name': 'one', 'extra': None}, changes(IMAGE, target, ('mine',)))

    def test_an_image_that_is_not_public_at_v1(self):
        self.assertEqual({}, changes(from_v1(V1), IMAGE, ()))
        self.assertEqual({'visibility': 'shared'}, changes(from_v1(V1), {**IMAGE, 'visibility': 'public'}, ()))


class Verified(unittest.TestCase):
    """The last piece is passed on only when all are right."""

    DATA = [b'ab', b'cd', b'ef']

    def passed(self, image: dict, data: list[bytes]) -> tuple[list[bytes], str | None]:
        passed = []
        try:
            for piece in verified({'id': '1', **image}, data, lambda count: None):
                passed.append(piece)
        except DataDiffers as error:
            return passed, str(error)
        return passed, None

    def test_right(self):
        sha = hashlib.sha512(b'abcdef').hexdigest()
        for image in ({}, {'size': 6}, {'size': 6, 'os_hash_algo': 'sha512', 'os_hash_value': sha},
                      {'checksum': hashlib.md5(b'abcdef').hexdigest(), 'os_hash_algo': 'unheard-of', 'os_hash_value': 'x'}):
            with self.subTest(image=image):
                self.assertEqual((self.DATA, None), self.passed(image, self.DATA))
        self.assertEqual(([], None), self.passed({'size': 0}, []))

    def test_damaged(self):
        for image, data, passed, words in (
                ({'size': 7}, self.DATA, self.DATA[:2], '6 bytes'), ({'size': 4}, self.DATA, [b'ab'], 'more than 4 bytes'),
                ({'checksum': 'x'}, self.DATA, self.DATA[:2], 'md5'), ({'size': 1}, [], [], '0 bytes'),
                ({'os_hash_algo': 'sha512', 'os_hash_value': 'x'}, [b'x'], [], 'sha512')):
            with self.subTest(image=image):
                found, error = self.passed(image, data)
                self.assertEqual(passed, found)
                self.assertIn(words, error or '')
