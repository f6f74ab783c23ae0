"""Tests of the image API, repeated on a node that knows no database: its records are in a registry.

``GLANCE_TEST_DATA_API=registry`` has all functional tests run that way.
"""
from tests.functional.api import (
    test_crash,
    test_image_data,
    test_image_list,
    test_images,
    test_locations,
    test_members,
    test_quota,
    test_races,
)


class ThroughRegistry:
    REGISTRY = True

    def setUp(self):
        super().setUp()
        self.assertNotIn('database', self.server.settings)


class TestCreate(ThroughRegistry, test_images.TestCreate):
    """Images are made."""


class TestRequestIds(ThroughRegistry, test_images.TestRequestIds):
    """Requests have ids."""


class TestPatch(ThroughRegistry, test_images.TestPatch):
    """Images change."""


class TestFilters(ThroughRegistry, test_image_list.TestFilters):
    """Lists are filtered."""


class TestUpload(ThroughRegistry, test_image_data.TestUpload):
    """Data arrives."""


class TestMembers(ThroughRegistry, test_members.TestMembers):
    """Images are shared."""


class TestImport(ThroughRegistry, test_locations.TestImport):
    """Locations are added."""


class TestEncryption(ThroughRegistry, test_locations.TestEncryption):
    """Locations are encrypted, by the registry."""


class TestReservations(ThroughRegistry, test_quota.TestReservations):
    """Uploads reserve what they need."""


class TestOneWorker(ThroughRegistry, test_crash.TestOneWorker):
    """A worker of the API is killed."""


class TestRaces(ThroughRegistry, test_races.TestRaces):
    """Requests race, with MySQL behind the registry."""

    DATABASE = 'mysql'


class TestListStatements(ThroughRegistry, test_images.ImagesTestCase):
    def test_a_list_is_one_round_trip(self):
        for _ in range(3):
            self.client.create_image(a='b', tags=['t'])
        for path in ('/v2/images', '/v2/images?tag=t&a=b&limit=2'):
            response = self.client.get(path)
            self.assertEqual(200, response.status_code)
            request = response.headers['x-openstack-request-id']
            lines = [line for line in self.server.registry.log_text().splitlines() if request in line and ' took ' in line]
            self.assertEqual(1, len(lines), lines)
            self.assertIn('image_list took', lines[0])
