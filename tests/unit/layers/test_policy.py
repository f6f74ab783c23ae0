"""The rules around each verb, with a spy below."""
import types
import unittest

from glance import exceptions
from glance.db.interface import ImageQuery
from glance.domain.image import Image, Location
from glance.layers.base import Page
from glance.layers.policy import EnforceImages, target_of
from tests.unit.layers import fakes


class Rules:
    """Refuses the named rules and records what was asked."""

    def __init__(self, *refused):
        self.refused, self.asked = set(refused), []

    def allows(self, context, rule, target):
        self.asked.append((rule, dict(target)))
        return rule not in self.refused

    def check(self, context, rule, target):
        if not self.allows(context, rule, target):
            raise exceptions.Forbidden(rule)

    @property
    def names(self):
        return [rule for rule, _ in self.asked]


def image(image_id='i', **values):
    found = Image(image_id, **{'owner': fakes.OWNER, 'visibility': 'private', **values})
    found.remember()
    return found


def layer(*refused, **answers):
    rules, spy = Rules(*refused), fakes.Spy(**answers)
    return EnforceImages(spy, fakes.caller(), types.SimpleNamespace(enforcer=rules)), rules, spy


class VerbTest(unittest.TestCase):

    CALLS = {
        'save': ('modify_image', lambda images: images.save(image())),
        'remove': ('delete_image', lambda images: images.remove(image())),
        'upload': ('upload_image', lambda images: images.upload(image(), None)),
        'data_size': ('download_image', lambda images: images.data_size(image())),
        'download': ('download_image', lambda images: images.download(image())),
        'new': ('add_image', lambda images: images.new({'owner': fakes.OWNER})),
        'list': ('get_images', lambda images: images.list(ImageQuery())),
    }

    def test_a_refused_verb_does_not_happen(self):
        for verb, (rule, call) in self.CALLS.items():
            with self.subTest(verb=verb):
                images, rules, spy = layer(rule)
                self.assertRaises(exceptions.Forbidden, call, images)
                self.assertEqual(([], [rule]), (spy.calls, rules.names))

    def test_an_allowed_verb_does(self):
        for verb, (rule, call) in self.CALLS.items():
            with self.subTest(verb=verb):
                images, rules, spy = layer(list=Page([], None))
                call(images)
                self.assertEqual(([verb], [rule]), (spy.calls, rules.names))

    def test_visibilities_on_create(self):
        for visibility, expected in (('public', ['add_image', 'publicize_image']),
                                     ('community', ['add_image', 'communitize_image']),
                                     ('private', ['add_image']), ('shared', ['add_image'])):
            images, rules, spy = layer()
            images.new({'owner': 'o', 'visibility': visibility})
            self.assertEqual(expected, rules.names)
            self.assertEqual({'owner': 'o', 'project_id': 'o', 'visibility': visibility}, rules.asked[0][1])
            images, rules, spy = layer(*expected[1:])
            if expected[1:]:
                self.assertRaises(exceptions.Forbidden, images.new, {'owner': 'o', 'visibility': visibility})
                self.assertEqual([], spy.calls)

    def test_the_visibility_asked_about_by_default_is_private(self):
        images, rules, _ = layer()
        images.new({'owner': 'o'})
        self.assertEqual('private', rules.asked[0][1]['visibility'])

    def test_visibilities_on_change(self):
        for visibility, rule in (('public', 'publicize_image'), ('community', 'communitize_image')):
            images, rules, spy = layer(rule)
            found = image()
            found.visibility = visibility
            self.assertRaises(exceptions.Forbidden, images.save, found)
            self.assertEqual([], spy.calls)
            # What is public already may be changed otherwise.
            found = image(visibility=visibility)
            found.name = 'n'
            images.save(found)
            self.assertEqual(['save'], spy.calls)

    def test_leaving_a_visibility_needs_no_rule_of_its_own(self):
        images, _, spy = layer('publicize_image', 'communitize_image')
        found = image(visibility='public')
        found.visibility = 'shared'
        images.save(found)
        self.assertEqual(['save'], spy.calls)

    def test_actions_have_rules_of_their_own(self):
        for before, after, rule in (('active', 'deactivated', 'deactivate'), ('deactivated', 'active', 'reactivate')):
            with self.subTest(rule=rule):
                found = image(status=before)
                found.status = after
                images, rules, spy = layer('modify_image')
                images.save(found)
                self.assertEqual(([rule], ['save']), (rules.names, spy.calls))
                self.assertEqual(before, rules.asked[0][1]['status'])
                images, rules, spy = layer(rule)
                self.assertRaises(exceptions.Forbidden, images.save, found)
                self.assertEqual([], spy.calls)

    def test_an_action_hides_no_other_change(self):
        for change in ({'name': 'n'}, {'visibility': 'public'}, {'tags': ['t']}, {'extra_properties': {'a': 'b'}}):
            found = image(status='active')
            found.deactivate()
            for name, value in change.items():
                setattr(found, name, value)
            images, rules, spy = layer('modify_image')
            self.assertRaises(exceptions.Forbidden, images.save, found)
            self.assertEqual((['deactivate', 'modify_image'], []), (rules.names, spy.calls))

    def test_an_action_that_is_done_already_is_a_save_like_any(self):
        found = image(status='deactivated')
        found.deactivate()
        images, rules, _ = layer()
        images.save(found)
        self.assertEqual(['modify_image'], rules.names)

    def test_a_change_is_judged_by_the_stored_image(self):
        images, rules, _ = layer()
        found = image(extra_properties={'level': 'secret'})
        found.owner, found.visibility, found.extra_properties['level'] = fakes.STRANGER, 'public', 'open'
        images.save(found)
        for rule, target in rules.asked:
            with self.subTest(rule=rule):
                self.assertEqual((fakes.OWNER, 'private', 'secret'), (target['project_id'], target['visibility'],
                                                                      target['level']))


class GetTest(unittest.TestCase):

    def test_what_get_image_refuses_does_not_exist(self):
        for rule in (None, 'modify_image'):
            images, rules, _ = layer('get_image', 'modify_image', get=image())
            self.assertRaises(exceptions.ImageNotFound, images.get, 'i', rule)

    def test_a_rule_that_refuses_a_visible_image(self):
        images, rules, _ = layer('modify_image', get=image())
        self.assertRaises(exceptions.Forbidden, images.get, 'i', 'modify_image')
        self.assertEqual(['get_image', 'modify_image'], rules.names)
        images.get('i')

    def test_nothing_is_asked_about_what_is_absent(self):
        images, rules, _ = layer(get=exceptions.ImageNotFound('i'))
        self.assertRaises(exceptions.ImageNotFound, images.get, 'i', 'modify_image')
        self.assertEqual([], rules.asked)


class ListTest(unittest.TestCase):

    def test_refused_images_are_dropped_and_the_walk_goes_on(self):
        images, rules, _ = layer('get_image', list=Page([image('1'), image('2')], '2'))
        self.assertEqual(Page([], '2'), images.list(ImageQuery()))

    def test_the_target_of_a_list_is_the_callers_project(self):
        images, rules, _ = layer(list=Page([], None))
        images.list(ImageQuery())
        self.assertEqual(('get_images', {'project_id': fakes.OWNER}), rules.asked[0])


class TargetTest(unittest.TestCase):

    def test_attributes_and_aliases(self):
        target = target_of(image('i-1', member='m', extra_properties={'os_distro': 'debian'},
                                 locations=[Location('u')]))
        for name in ('id', 'image_id', 'name', 'status', 'created_at', 'updated_at', 'visibility', 'min_disk',
                     'min_ram', 'protected',
                     'os_hidden', 'checksum', 'os_hash_algo', 'os_hash_value', 'owner', 'project_id', 'disk_format',
                     'container_format', 'size', 'virtual_size', 'tags', 'extra_properties', 'member', 'member_id',
                     'os_distro'):
            self.assertIn(name, target)
        self.assertNotIn('locations', target)
        self.assertEqual(('i-1', 'i-1', fakes.OWNER, fakes.OWNER, 'm', 'm', 'debian'), tuple(target[name] for name in (
            'id', 'image_id', 'owner', 'project_id', 'member', 'member_id', 'os_distro')))

    def test_a_property_cannot_pretend_to_be_an_attribute(self):
        forged = dict.fromkeys(('project_id', 'owner', 'visibility', 'member', 'member_id', 'id', 'image_id', 'status'),
                               'forged')
        self.assertNotIn('forged', [value for name, value in target_of(image(extra_properties=forged)).items()
                                    if name != 'extra_properties'])
