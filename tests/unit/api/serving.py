"""Serves the v2 API over records and stores in memory."""
import json
import unittest

from glance.api.v2.router import API
from glance.db.interface import ImageChanges
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes

DATA = b'0123456789'
OCTETS = 'application/octet-stream'
V20 = 'application/openstack-images-v2.0-json-patch'
V21 = 'application/openstack-images-v2.1-json-patch'
UUID = '00000000-0000-0000-0000-000000000005'


class ServingTestCase(unittest.TestCase):
    """Requests of a member of the owning project, unless another context is given."""

    def setUp(self):
        self.serve()

    def serve(self, **parts):
        self.env = fakes.make_environment(self, **parts)
        self.conf, self.store, self.api = self.env.conf, self.env.stores.enabled[0], API()

    def call(self, method, target, body=None, headers=None, context=None, **extra):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        extra = {'glance.environment': self.env, 'glance.context': context or fakes.caller(), **extra}
        return wsgi_client.request(self.api, method, target, body or b'', headers, **extra)

    def code(self, *args, **kwargs):
        return self.call(*args, **kwargs).status_int

    def create(self, context=None, **values):
        values = {'disk_format': 'raw', 'container_format': 'bare', **values}
        response = self.call('POST', '/images', values, context=context)
        self.assertEqual(201, response.status_int, response.text)
        return response.json

    def upload(self, image, data=DATA, **headers):
        return self.call('PUT', image['file'].removeprefix('/v2'), data, {'Content-Type': OCTETS, **headers})

    def active(self, **values):
        image = self.create(**values)
        self.assertEqual(204, self.upload(image).status_int)
        return self.show(image)

    def show(self, image, context=None):
        return self.call('GET', '/images/' + image['id'], context=context).json

    def patch(self, image, *operations, media_type=V21, context=None):
        return self.call('PATCH', '/images/' + image['id'], list(operations), {'Content-Type': media_type}, context)

    def set_status(self, image, status):
        stored = self.env.database.image_get(fakes.admin(), image['id'])
        self.env.database.image_update(image['id'], ImageChanges(columns={'status': status}), stored['status'])
