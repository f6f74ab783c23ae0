"""Images of which a caller may see and change only some properties: the whole gateway over records in memory."""
import dataclasses
import inspect
import re
import unittest
from unittest import mock

from glance import exceptions, gateway
from glance.api.v2 import images as handlers
from glance.db.interface import ImageQuery
from glance.environment import ExtraSchema
from glance.layers.base import Images
from glance.layers.policy import target_of
from glance.layers.protection import ProtectImages
from glance.policies.protection import ACTIONS, Protections, Rule
from tests.unit.layers import fakes

# What a member may do with properties whose names begin so; 'admin' may do everything.
RIGHTS = {'hidden': (), 'fixed': ('create', 'read'), 'blind': ('create', 'update', 'delete'), 'update': ('update',),
          'create': ('create',), 'lasting': ('create', 'read', 'update'), 'free': ACTIONS}
STORED = {'hidden_1': 'h', 'fixed_1': 'f', 'blind_1': 'b', 'update_1': 'u', 'create_1': 'c', 'lasting_1': 'l', 'free_1': 'o'}
SEEN = {'fixed_1': 'f', 'lasting_1': 'l', 'free_1': 'o'}
PROTECTIONS = Protections([
    Rule(re.compile('^' + prefix), {action: frozenset(('admin', 'member') if action in rights else ('admin',))
                                    for action in ACTIONS})
    for prefix, rights in RIGHTS.items()])


def protected(env, **parts):
    return dataclasses.replace(env, protections=PROTECTIONS, **parts)


class ProtectionTestCase(unittest.TestCase):

    def setUp(self):
        self.env = protected(fakes.make_environment(self))
        self.member = gateway.images(fakes.caller(), self.env)
        self.admin = gateway.images(fakes.admin(), self.env)

    def stored(self, status='queued', **properties):
        return self.env.database.image_create({
            'status': status, 'owner': fakes.OWNER, 'disk_format': 'raw', 'container_format': 'bare',
            'properties': properties or dict(STORED)})['id']

    def properties(self, image_id):
        return self.env.database.image_get(fakes.admin(), image_id)['properties']

    def assert_refused(self, name, call, *args):
        with self.assertRaises(exceptions.ProtectedProperty) as caught:
            call(*args)
        self.assertIn(repr(name), str(caught.exception))
        return str(caught.exception)


class StackTest(unittest.TestCase):

    def layers(self, env):
        layer, found = gateway.images(fakes.caller(), env), []
        while layer is not None:
            found.append(type(layer))
            layer = getattr(layer, 'inner', None)
        return found

    def test_the_layer_is_there_only_with_a_file(self):
        env = fakes.make_environment(self)
        without, with_protections = self.layers(env), self.layers(protected(env))
        self.assertNotIn(ProtectImages, without)
        self.assertEqual(without, [layer for layer in with_protections if layer is not ProtectImages])
        self.assertEqual(2, with_protections.index(ProtectImages))


class ReadTest(ProtectionTestCase):

    def test_show_and_list(self):
        image_id = self.stored()
        for images, seen in ((self.member, SEEN), (self.admin, STORED)):
            for image in (images.get(image_id), *images.list(ImageQuery(limit=10)).images):
                self.assertEqual((seen, seen), (image.extra_properties, image.loaded.extra_properties))
                self.assertFalse(image.changes)
                self.assertEqual(seen, target_of(image)['extra_properties'])
                self.assertEqual(seen.get('hidden_1'), target_of(image).get('hidden_1'))

    def test_rules_judge_what_the_caller_sees(self):
        directory = fakes.temporary_directory(self)
        with open(directory + '/policy.yaml', 'w') as file:
            file.write('get_image: "h:%(hidden_1)s"\n')
        env = protected(fakes.make_environment(self, fakes.make_conf(directory), self.env.database))
        image_id = self.stored()
        for context in (fakes.caller(), fakes.admin()):
            context.credentials['h'] = 'h'
        self.assertRaises(exceptions.ImageNotFound, gateway.images(fakes.caller(), env).get, image_id)

    def test_lists_find_nothing_by_hidden_properties(self):
        image_id = self.stored()
        for name, value, member in (('hidden_1', 'h', 0), ('blind_1', 'b', 0), ('free_1', 'o', 1), ('fixed_1', 'f', 1),
                                    ('fixed_1', 'x', 0), ('unknown', 'x', 0)):
            with self.subTest(name=name):
                query = ImageQuery(properties=((name, value),), limit=10)
                self.assertEqual([image_id] * member, [image.image_id for image in self.member.list(query).images])
                self.assertEqual(member, self.member.count(query))
                self.assertEqual(name in STORED and value == STORED[name], bool(self.admin.list(query).images))
        query = ImageQuery(properties=(('free_1', 'o'), ('hidden_1', 'h')), limit=10)
        self.assertEqual(([], 0), (self.member.list(query).images, self.member.count(query)))

    def test_a_marker_is_judged_as_in_any_list(self):
        query = ImageQuery(properties=(('hidden_1', 'h'),), limit=10, marker='no such image')
        self.assertRaises(exceptions.InvalidMarker, self.member.list, query)

    def test_members_of_the_image(self):
        image = self.member.get(self.stored())
        gateway.members(fakes.caller(), self.env, image).list()
        self.assertEqual(SEEN, image.extra_properties)


class CreateTest(ProtectionTestCase):

    def test_each_property_needs_permission(self):
        for prefix, rights in RIGHTS.items():
            with self.subTest(prefix):
                values = {'name': 'n', 'free': 'v', prefix + '_1': 'v'}
                if 'create' in rights:
                    self.member.new(values)
                else:
                    self.assert_refused(prefix + '_1', self.member.new, values)
        self.assert_refused('unknown', self.admin.new, {'unknown': 'v'})

    def test_what_was_created_is_shown_like_any_image(self):
        image = self.member.new({'fixed_1': 'f', 'blind_1': 'b'})
        self.member.add(image)
        self.assertEqual({'fixed_1': 'f'}, image.extra_properties)
        self.assertEqual({'fixed_1': 'f', 'blind_1': 'b'}, self.properties(image.image_id))

    def test_refusals_come_before_limits(self):
        self.env.conf.set_override('image_property_quota', 0)
        self.assert_refused('hidden', self.member.new, {'hidden': 'v'})
        self.assertRaises(exceptions.LimitExceeded, self.member.new, {'free': 'v'})


class SaveTest(ProtectionTestCase):

    def save(self, image_id, images=None, remove=(), **properties):
        images = images or self.member
        image = images.get(image_id)
        image.extra_properties.update(properties)
        for name in remove:
            del image.extra_properties[name]
        images.save(image)
        return image

    def test_hidden_properties_outlive_every_save(self):
        image_id = self.stored()
        image = self.member.get(image_id)
        image.name, image.tags = 'new', ['t']
        self.member.save(image)
        self.assertEqual((STORED, SEEN), (self.properties(image_id), image.extra_properties))
        image.visibility = 'private'
        self.member.save(image)
        image.extra_properties.update(free_1='changed', free_2='added')
        self.member.save(image)
        del image.extra_properties['free_2']
        self.member.save(image)
        self.assertEqual({**STORED, 'free_1': 'changed'}, self.properties(image_id))
        self.assertEqual({**SEEN, 'free_1': 'changed'}, image.extra_properties)

    def test_what_others_do_to_hidden_properties_meanwhile_stays(self):
        image_id = self.stored()
        image = self.member.get(image_id)
        self.save(image_id, self.admin, remove=('blind_1',), hidden_1='changed')
        image.name = 'new'
        self.member.save(image)
        expected = {**STORED, 'hidden_1': 'changed'}
        del expected['blind_1']
        self.assertEqual(expected, self.properties(image_id))

    def test_what_each_change_needs(self):
        for name, changed, needed in (
                ('fixed_2', {'fixed_2': 'v'}, True), ('fixed_1', {'fixed_1': 'v'}, False),
                ('free_1', {'free_1': 'v'}, True), ('lasting_1', {'lasting_1': 'v'}, True),
                ('update_2', {'update_2': 'v'}, False), ('create_2', {'create_2': 'v'}, True),
                ('unknown', {'unknown': 'v'}, False)):
            with self.subTest(name=name):
                image_id = self.stored()
                if needed:
                    self.save(image_id, **changed)
                    self.assertEqual('v', self.properties(image_id)[name])
                else:
                    self.assert_refused(name, lambda: self.save(image_id, **changed))
                    self.assertEqual(STORED, self.properties(image_id))

    def test_removal(self):
        for name, refused in (('free_1', False), ('lasting_1', True), ('fixed_1', True)):
            with self.subTest(name=name):
                image_id = self.stored()
                if refused:
                    self.assert_refused(name, self.save, image_id, None, (name,))
                else:
                    self.save(image_id, remove=(name,))
                self.assertEqual(not refused, name not in self.properties(image_id))

    def test_hidden_properties_are_written_over_only_with_permission(self):
        for name, permitted in (('update_1', True), ('blind_1', True), ('create_1', False), ('hidden_1', False)):
            for value in ('other', STORED[name]):
                with self.subTest(name=name, value=value):
                    image_id = self.stored()
                    if permitted:
                        image = self.save(image_id, **{name: value})
                        self.assertEqual({**STORED, name: value}, self.properties(image_id))
                        self.assertEqual(SEEN, image.extra_properties)
                    else:
                        self.assert_refused(name, lambda: self.save(image_id, **{name: value}))
                        self.assertEqual(STORED, self.properties(image_id))

    def test_refusals_do_not_tell_what_is_there(self):
        image_id = self.stored()
        texts = {self.assert_refused(name, lambda name=name: self.save(image_id, **{name: 'v'})).replace(name, '')
                 for name in ('hidden_1', 'hidden_2')}
        self.assertEqual(1, len(texts))

    def test_one_refusal_keeps_everything(self):
        image_id = self.stored()
        self.assert_refused('fixed_1', lambda: self.save(image_id, free_1='v', fixed_1='v'))
        self.assertEqual(STORED, self.properties(image_id))

    def test_a_save_that_failed_leaves_the_caller_as_he_was(self):
        image_id = self.stored()
        image = self.member.get(image_id)
        image.extra_properties.update(update_1='v', free_1='v')
        with mock.patch.object(self.env.database, 'image_update', side_effect=exceptions.DatabaseUnavailable):
            self.assertRaises(exceptions.DatabaseUnavailable, self.member.save, image)
        self.assertEqual({**SEEN, 'free_1': 'v'}, image.extra_properties)
        self.assertEqual(SEEN, image.loaded.extra_properties)
        self.member.save(image)
        self.assertEqual({**STORED, 'free_1': 'v', 'update_1': 'v'}, self.properties(image_id))

    def test_limits_count_what_is_hidden(self):
        self.env.conf.set_override('image_property_quota', len(STORED) + 1)
        image_id = self.stored()
        self.save(image_id, free_2='v')
        with self.assertRaises(exceptions.LimitExceeded):
            self.save(image_id, free_3='v')
        self.save(image_id, update_1='v')
        self.save(image_id, free_2='w')

    def test_the_service_writes_its_own_properties(self):
        image_id = self.stored()
        self.save(image_id, os_glance_import_task='t')
        self.assertEqual('t', self.member.get(image_id).extra_properties['os_glance_import_task'])
        self.assert_refused('x_os_glance_y', lambda: self.save(image_id, x_os_glance_y='v'))

    def test_a_guarded_save(self):
        image_id = self.stored()
        image = self.member.get(image_id)
        image.guarded, image.name = True, 'first'
        self.save(image_id, free_1='meanwhile')
        self.assertRaises(exceptions.ChangedMeanwhile, self.member.save, image)
        image = self.member.get(image_id)
        image.guarded, image.name = True, 'second'
        self.member.save(image)
        self.assertEqual('second', self.member.get(image_id).name)

    def test_an_administrator_by_role_may_do_everything(self):
        image_id = self.stored()
        self.save(image_id, self.admin, remove=('hidden_1',), fixed_1='v', update_1='v')
        expected = {**STORED, 'fixed_1': 'v', 'update_1': 'v'}
        del expected['hidden_1']
        self.assertEqual(expected, self.properties(image_id))


class WholeImageTest(ProtectionTestCase):
    """What stands below sees the image whole."""

    def setUp(self):
        super().setUp()
        self.notifier = mock.Mock()
        self.env = dataclasses.replace(self.env, notifier=self.notifier)
        self.member = gateway.images(fakes.caller(), self.env)

    def told(self, event):
        found = [call.args[1] for call in self.notifier.info.call_args_list if call.args[0] == event]
        return found[-1]['properties']

    def test_events_tell_all_properties(self):
        image = self.member.get(self.stored())
        image.name = 'new'
        self.member.save(image)
        self.assertEqual(STORED, self.told('image.update'))
        self.member.remove(image)
        self.assertEqual(STORED, self.told('image.delete'))
        self.assertEqual(SEEN, image.extra_properties)

    def test_upload_and_download(self):
        image_id = self.stored()
        image = self.member.get(image_id)
        self.member.upload(image, fakes.Source(b'data'))
        self.assertEqual((STORED, STORED), (self.properties(image_id), self.told('image.activate')))
        self.assertEqual(SEEN, image.extra_properties)
        image = self.member.get(image_id)
        self.assertEqual(4, self.member.data_size(image))
        self.member.download(image)
        self.member.end_download(image, 4, 4)
        self.assertEqual((SEEN, STORED), (image.extra_properties, self.properties(image_id)))

    def test_no_verb_is_forgotten(self):
        """Whoever adds a verb on an image has to think of what the layers below may see of it."""
        # Steps that a layer below asks of the layers below itself.
        steps = ('_', 'begin_', 'check_', 'reserving', 'finish_', 'abort_', 'undo_')
        verbs = {name for name, verb in vars(Images).items()
                 if not name.startswith(steps) and 'image' in inspect.signature(verb).parameters}
        self.assertEqual(set(), verbs - vars(ProtectImages).keys(), 'ProtectImages has to pass the whole image to these.')

    def test_each_verb_shows_the_next_layer_everything(self):
        seen = []
        spy = fakes.Spy(**dict.fromkeys(
            ('add', 'save', 'remove', 'upload', 'data_size', 'download', 'end_download'),
            lambda image, *args: seen.append(dict(image.extra_properties))))
        image = self.member.get(self.stored())
        images = ProtectImages(spy, fakes.caller(), self.env)
        images.add(image)
        images.save(image)
        images.remove(image)
        images.upload(image, None)
        images.data_size(image)
        images.download(image)
        images.end_download(image, 1, 1)
        self.assertEqual([STORED] * 7, seen)
        self.assertEqual(SEEN, image.extra_properties)


class RequiredPropertiesTest(ProtectionTestCase):

    def test_one_that_is_hidden_counts(self):
        request = mock.Mock(env=protected(self.env, schema=ExtraSchema({}, ('hidden_1', 'free_1'))))
        image = self.member.get(self.stored())
        handlers._check_required(handlers._values_of(image), request)
        del image.extra_properties['free_1']
        self.assertRaises(exceptions.Invalid, handlers._check_required, handlers._values_of(image), request)
