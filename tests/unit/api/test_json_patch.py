"""Patches of images in both forms: media types, documents, pointers and what they may do."""
import itertools
import json
import types
import unittest

from hypothesis import given
from hypothesis import strategies as st

from glance import exceptions
from glance.api.request import Request
from glance.api.v2 import json_patch
from glance.domain.image import STATUSES, Image
from glance.domain.properties import Validator
from glance.wsgi.faults import HTTPFault

V20 = 'application/openstack-images-v2.0-json-patch'
V21 = 'application/openstack-images-v2.1-json-patch'
READ_ONLY = ('id', 'status', 'size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value', 'created_at',
             'updated_at',
             'direct_url', 'self', 'file', 'schema', 'stores')
RESERVED = ('location', 'deleted', 'deleted_at', 'os_glance_import_task', 'os_glance_anything')
BASE = {'name': 'n', 'visibility': 'private', 'protected': True, 'os_hidden': True, 'owner': 'p', 'tags': ['t'],
        'min_disk': 1,
        'min_ram': 2, 'disk_format': 'qcow2', 'container_format': 'bare'}
ENV = types.SimpleNamespace(validator=Validator(['raw', 'qcow2'], ['bare', 'ovf']),
                            conf=types.SimpleNamespace(max_json_body_size=100000))


def parse(document, media_type=V21):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    environ = Request.blank('/', method='PATCH', body=body, content_type=media_type or 'x/y').environ
    if media_type is None:
        del environ['CONTENT_TYPE']
    environ['glance.environment'] = ENV
    return json_patch.parse(Request(environ))


def patch(image, *operations, media_type=V21):
    json_patch.apply(parse(list(operations), media_type), image, ENV, may_give_away=True)
    return image


def both_forms(op, path, **value):
    yield V21, {'op': op, 'path': path, **value}
    yield V20, {op: path, **value}


class Base(unittest.TestCase):

    def assert_invalid(self, document, media_type=V21):
        with self.subTest(document=document, media_type=media_type):
            self.assertRaises(exceptions.Invalid, parse, document, media_type)

    def assert_forbidden(self, document, media_type=V21):
        with self.subTest(document=document, media_type=media_type):
            self.assertRaises(exceptions.Forbidden, parse, document, media_type)


class MediaTypeTest(Base):

    def test_both_media_types(self):
        for media_type in (V20, V21, V21 + '; charset=utf-8', V20 + ';x=y'):
            with self.subTest(media_type=media_type):
                self.assertEqual([], parse([], media_type))

    def test_any_other(self):
        for media_type in (None, 'application/json', 'text/plain', 'application/openstack-images-v2.2-json-patch',
                           V21 + 'x'):
            with self.subTest(media_type=media_type), self.assertRaises(HTTPFault) as caught:
                parse([], media_type)
            self.assertEqual(415, caught.exception.status)
            self.assertIn(('Accept-Patch', '%s, %s' % (V20, V21)), caught.exception.headers)

    def test_the_media_type_is_looked_at_before_the_body(self):
        with self.assertRaises(HTTPFault):
            parse(b'{', 'application/json')


class DocumentTest(Base):

    def test_must_be_an_array_of_objects(self):
        for document in ({}, {'op': 'add', 'path': '/a', 'value': 'b'}, [1], [[]], ['add'], [None]):
            for media_type in (V20, V21):
                self.assert_invalid(document, media_type)
        for document in (b'', b'[', b'"a"', b'[NaN]'):
            self.assert_invalid(document)

    def test_new_form(self):
        for operation in ({}, {'path': '/a', 'value': 'b'}, {'op': 'add', 'value': 'b'}, {'op': 'add', 'path': '/a'},
                          {'op': 'replace', 'path': '/a'}, {'op': 'Add', 'path': '/a', 'value': 'b'},
                          {'op': None, 'path': '/a'},
                          {'op': ['add'], 'path': '/a', 'value': 'b'}, {'op': {}, 'path': '/a'},
                          {'add': '/a', 'value': 'b'},
                          *({'op': op, 'path': '/a', 'from': '/b',
                             'value': 'b'} for op in ('test', 'move', 'copy', ''))):
            self.assert_invalid([operation])

    def test_draft_form(self):
        for operation in ({}, {'value': 'b'}, {'add': '/a'}, {'replace': '/a'},
                          {'op': 'add', 'path': '/a', 'value': 'b'},
                          {'add': '/a', 'remove': '/a', 'value': 'b'}, {'add': '/a', 'replace': '/b', 'value': 'b'},
                          {'test': '/a', 'value': 'b'}):
            self.assert_invalid([operation], V20)
        self.assertEqual('a', parse([{'add': '/a', 'value': 'b', 'more': 1}], V20)[0].name)

    def test_remove_ignores_a_value(self):
        for media_type, operation in both_forms('remove', '/a', value=5):
            self.assertEqual(('remove', 'a'), (parse([operation], media_type)[0].op,
                                               parse([operation], media_type)[0].name))

    def test_one_bad_operation_refuses_all(self):
        self.assert_invalid([{'op': 'add', 'path': '/a', 'value': 'b'}, {'op': 'add', 'path': '/b', 'value': 5}])

    def test_too_large_a_body(self):
        with self.assertRaises(HTTPFault) as caught:
            parse([{'op': 'add', 'path': '/a', 'value': 'b' * 100000}])
        self.assertEqual(413, caught.exception.status)

    @given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5),
                                  st.sampled_from(('/name', '/a', '/locations/0', '/tags/-', 'add', 'remove', '~'))),
                        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
                            st.sampled_from(('op', 'path', 'value', 'add', 'replace', 'remove')), inner, max_size=3)),
                        max_leaves=10),
           st.sampled_from((V20, V21)))
    def test_any_document_is_operations_or_a_refusal(self, document, media_type):
        try:
            operations = parse(document, media_type)
        except (exceptions.Invalid, exceptions.Forbidden):
            return
        self.assertEqual(len(document), len(operations))


class PointerTest(Base):

    def name(self, path):
        names = {parse([operation], media_type)[0].name for media_type, operation in both_forms('add', path, value='v')}
        self.assertEqual(1, len(names))
        return names.pop()

    def test_names(self):
        for path, name in (('/a', 'a'), ('/', ''), ('/a~1b', 'a/b'), ('/a~0b', 'a~b'), ('/~01', '~1'),
                           ('/ a b ', 'a b'), ('/é', 'é'), ('//a', 'a'),
                           ('/-', '-'), ('/0', '0'), ('/Name', 'Name')):
            with self.subTest(path=path):
                self.assertEqual(name, self.name(path))

    def test_empty_segments_are_refused(self):
        for path in ('///a', '//'):
            self.assertRaises(exceptions.Invalid, self.name, path)

    def test_blanks_around_a_name_do_not_hide_a_read_only_attribute(self):
        for path in ('/ status', '/status ', '/ id ', '/ os_glance_x'):
            for media_type, operation in both_forms('add', path, value='v'):
                self.assert_forbidden([operation], media_type)

    def test_what_is_no_pointer(self):
        for path in ('', 'a', 'a/b', '/a/', '/a//b', '/~', '/~2', '/a~', '/~a', 5, None, True, ['/a'], {'/a': 1}):
            for media_type, operation in both_forms('add', path, value='v'):
                self.assert_invalid([operation], media_type)

    def test_one_segment_only(self):
        for path in ('/tags/-', '/tags/0', '/a/b', '/name/x', '/a/b/c'):
            for media_type, operation in both_forms('add', path, value='v'):
                self.assert_invalid([operation], media_type)


class RefusedNameTest(Base):

    def test_read_only_and_reserved_names_in_every_operation(self):
        for name, op in itertools.product((*READ_ONLY, *RESERVED), ('add', 'replace', 'remove')):
            for media_type, operation in both_forms(op, '/' + name, value='v'):
                self.assert_forbidden([operation], media_type)

    def test_base_attributes_cannot_be_removed(self):
        for name in BASE:
            for media_type, operation in both_forms('remove', '/' + name):
                self.assert_forbidden([operation], media_type)

    def test_values_are_checked(self):
        for name, value in (('name', 5), ('name', 'x' * 256), ('min_ram', -1), ('min_disk', True), ('tags', 'a'),
                            ('tags', [1]),
                            ('visibility', None), ('visibility', 'all'), ('protected', 'true'), ('disk_format', 'bare'),
                            ('a', 5),
                            ('a', None), ('a', ['b']), ('k' * 256, 'v')):
            for op in ('add', 'replace'):
                for media_type, operation in both_forms(op, '/' + name, value=value):
                    self.assert_invalid([operation], media_type)


class ApplyTest(Base):

    def setUp(self):
        self.image = Image('i', owner='p', extra_properties={'old': '1'})
        self.image.remember()

    def assert_conflict(self, *operations, media_type=V21):
        with self.subTest(operations=operations, media_type=media_type):
            self.assertRaises(exceptions.Conflict, patch, self.image, *operations, media_type=media_type)

    def test_base_attributes_are_set_by_replace_in_both_forms(self):
        for name, value in BASE.items():
            for media_type, operation in both_forms('replace', '/' + name, value=value):
                with self.subTest(name=name, media_type=media_type):
                    self.assertEqual(value, getattr(patch(Image('i'), operation, media_type=media_type), name))

    def test_base_attributes_and_add(self):
        for name, value in BASE.items():
            with self.subTest(name=name):
                self.assertEqual(value, getattr(patch(Image('i'), {'op': 'add', 'path': '/' + name, 'value': value}),
                                                name))
            self.assert_conflict({'add': '/' + name, 'value': value}, media_type=V20)

    def test_properties_in_the_new_form(self):
        patch(self.image, {'op': 'add', 'path': '/new', 'value': 'a'}, {'op': 'add', 'path': '/old', 'value': 'b'})
        self.assertEqual({'old': 'b', 'new': 'a'}, self.image.extra_properties)
        patch(self.image, {'op': 'replace', 'path': '/new', 'value': ''}, {'op': 'remove', 'path': '/old'})
        self.assertEqual({'new': ''}, self.image.extra_properties)

    def test_properties_in_the_draft_form(self):
        patch(self.image, {'add': '/new', 'value': 'a'}, {'replace': '/old', 'value': 'b'}, media_type=V20)
        self.assertEqual({'old': 'b', 'new': 'a'}, self.image.extra_properties)
        self.assert_conflict({'add': '/old', 'value': 'c'}, media_type=V20)

    def test_absent_properties(self):
        for op in ('replace', 'remove'):
            for media_type, operation in both_forms(op, '/absent', value='v'):
                self.assert_conflict(operation, media_type=media_type)

    def test_operations_see_what_the_ones_before_did(self):
        patch(self.image, {'op': 'add', 'path': '/x', 'value': '1'}, {'op': 'replace', 'path': '/x', 'value': '2'},
              {'op': 'remove', 'path': '/x'}, {'op': 'add', 'path': '/x', 'value': '3'},
              {'op': 'remove', 'path': '/old'})
        self.assertEqual({'x': '3'}, self.image.extra_properties)
        self.assert_conflict({'op': 'remove', 'path': '/x'}, {'op': 'remove', 'path': '/x'})

    def test_tags_are_replaced_as_a_whole(self):
        self.image.tags = ['a', 'b']
        self.assertEqual(['c', 'b'], patch(self.image,
                                           {'op': 'replace', 'path': '/tags', 'value': ['c', 'b', 'c']}).tags)

    def test_internal_names_of_our_objects_are_properties(self):
        for name in ('extra_properties', 'loaded', 'changes', 'remember', 'set_status', '__class__', '__dict__', 'repo',
                     'base'):
            with self.subTest(name=name):
                before = Image('i').__dict__.keys()
                image = patch(Image('i'), {'op': 'add', 'path': '/' + name, 'value': 'v'})
                self.assertEqual({name: 'v'}, image.extra_properties)
                self.assertEqual(before, image.__dict__.keys())
                self.assertIs(Image, type(image))

    def test_image_id_cannot_redirect_a_save(self):
        for op in ('add', 'replace'):
            try:
                patch(self.image, {'op': op, 'path': '/image_id', 'value': 'other'})
            except exceptions.GlanceError:
                pass
            self.assertEqual('i', self.image.image_id)

    def test_formats_change_until_there_is_data(self):
        for status, name in itertools.product(STATUSES, ('disk_format', 'container_format')):
            operation = {'op': 'replace', 'path': '/' + name, 'value': None}
            image = Image('i', status=status, disk_format='raw', container_format='ovf')
            with self.subTest(status=status, name=name):
                if status in ('queued', 'importing'):
                    self.assertIsNone(getattr(patch(image, operation), name))
                else:
                    self.assertRaises(exceptions.Forbidden, patch, image, operation)

    def test_numbers_are_kept_as_integers(self):
        image = patch(self.image, {'op': 'replace', 'path': '/min_ram', 'value': 1.0})
        self.assertEqual('1', repr(image.min_ram))

    def test_an_empty_owner_is_none(self):
        self.assertIsNone(patch(self.image, {'op': 'replace', 'path': '/owner', 'value': ''}).owner)
