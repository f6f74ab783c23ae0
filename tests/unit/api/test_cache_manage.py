"""The classic routes of the cache where there is none."""
import unittest

from glance.api.middleware.cache_manage import CacheManageFilter
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes


class CacheManageTest(unittest.TestCase):

    def test_a_node_without_a_cache_says_so(self):
        env = fakes.make_environment(self)
        application = CacheManageFilter(lambda environ, start_response: self.fail('not answered'), env.conf)
        image = '/v2/queued_images/' + '0' * 8 + '-0000-0000-0000-' + '0' * 12
        for method, target in (('GET', '/v2/cached_images'), ('DELETE', '/v1/cached_images'), ('PUT', image)):
            parts = {'glance.environment': env, 'glance.context': fakes.admin()}
            response = wsgi_client.request(application, method, target, **parts)
            self.assertEqual(404, response.status_int)
            self.assertIn('no image cache', response.text)
