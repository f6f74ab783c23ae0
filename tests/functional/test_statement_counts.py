"""A request costs a constant number of statements, whatever the number of images, properties and tags.

The application runs in the test's process, on a real database of each kind.
"""
import contextlib
import pathlib
import tempfile
import unittest

import sqlalchemy as sa

from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.database import SQLDatabase
from tests.harness.databases import scratch_database
from tests.unit.api.serving import DATA, V21, ServingTestCase


class Counting(ServingTestCase):
    kind: str

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        scratch = scratch_database(self.kind, folder)
        self.addCleanup(scratch.drop)
        self.database = SQLDatabase.from_url(scratch.url)
        self.addCleanup(self.database.close)
        models.metadata.create_all(self.database.engine.writer, checkfirst=False)
        self.serve(database=self.database)

    @contextlib.contextmanager
    def statements(self, expected):
        seen = []

        def note(connection, cursor, statement, parameters, context, many):
            if not statement.startswith('BEGIN'):
                seen.append(statement)
        engines = (self.database.engine.reader, self.database.engine.writer)
        for engine in engines:
            sa.event.listen(engine, 'before_cursor_execute', note)
        try:
            yield
        finally:
            for engine in engines:
                sa.event.remove(engine, 'before_cursor_execute', note)
        self.assertEqual(expected, len(seen), '\n'.join(seen))

    def check(self, expected, method, path, body=None, headers=None, code=200):
        with self.statements(expected):
            response = self.call(method, path, body, headers)
            self.assertEqual(code, response.status_int, response.text)
        return response

    def catalogue(self, images, children):
        """Make images with so many properties and tags each; return the first."""
        values = {'tags': ['t%d' % i for i in range(children)], **{'p%d' % i: 'v' for i in range(children)}}
        return [self.create(name='n%03d' % i, **values) for i in range(images)][0]


class RequestTest:
    def test_show_list_and_create(self):
        for images, children in ((3, 1), (12, 20)):
            with self.subTest(images=images, children=children):
                path = '/images/' + self.catalogue(images, children)['id']
                self.check(1, 'GET', path)
                self.check(2, 'GET', '/images?limit=2')
                self.check(2, 'GET', '/images')
                self.check(2, 'GET', '/images?tag=t0&p0=v&sort=name:asc&status=in:queued,active&visibility=all')
                self.check(3, 'GET', '/images?sort=name:asc&marker=' + path.removeprefix('/images/'))
                self.check(1, 'GET', '/images/00000000-0000-0000-0000-000000000005', code=404)
                values = {'tags': ['t%d' % i for i in range(children)], **{'q%d' % i: 'v' for i in range(children)}}
                self.check(3, 'POST', '/images', values, code=201)

    def test_changes(self):
        for children in (1, 20):
            with self.subTest(children=children):
                path = '/images/' + self.catalogue(1, children)['id']
                patch = [{'op': 'replace', 'path': '/name', 'value': 'n'}]
                self.check(2, 'PATCH', path, patch, {'Content-Type': V21})
                patch += [{'op': 'replace', 'path': '/p%d' % i, 'value': 'w'} for i in range(children)]
                self.check(3, 'PATCH', path, patch, {'Content-Type': V21})

    def test_data(self):
        image = self.catalogue(1, 5)
        # Loaded; begun: image and lease; loaded again for what must be verified; finished: image, lease and location.
        with self.statements(7):
            self.assertEqual(204, self.upload(image).status_int)
        path = '/images/%s/file' % image['id']
        self.assertEqual(DATA, self.check(1, 'GET', path).body)
        self.check(1, 'GET', path, headers={'Range': 'bytes=2-3'}, code=206)

    def test_delete(self):
        for images, children in ((1, 1), (5, 20)):
            with self.subTest(images=images, children=children):
                path = '/images/' + self.catalogue(images, children)['id']
                # Loaded; image, what it has, properties, tags, and the status of an image without data.
                self.check(6, 'DELETE', path, code=204)


class SQLiteTest(RequestTest, Counting):
    kind = 'sqlite'


class MySQLTest(RequestTest, Counting):
    kind = 'mysql'


class PostgreSQLTest(RequestTest, Counting):
    kind = 'postgresql'


del Counting


if __name__ == '__main__':
    unittest.main()
