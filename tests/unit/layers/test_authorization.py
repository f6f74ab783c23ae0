"""Ownership, with a spy below."""
import unittest

from glance import exceptions
from glance.domain.image import STATUSES, Image
from glance.layers.authorization import AuthorizeImages
from tests.unit.layers import fakes

OWN = fakes.caller()
FOREIGN = fakes.caller(fakes.STRANGER)
NOBODY = fakes.caller(None)
ANONYMOUS = fakes.caller(None, (), read_only=True)
WRITES = ('save', 'remove', 'upload')


def layer(context, **answers):
    spy = fakes.Spy(**answers)
    return AuthorizeImages(spy, context, None), spy


def image(**values):
    found = Image('i', **{'owner': fakes.OWNER, 'status': 'active', **values})
    found.remember()
    return found


def write(images, verb, on):
    getattr(images, verb)(*(on, b'') if verb == 'upload' else (on,))


class WriteTest(unittest.TestCase):

    def test_who_may_write(self):
        for context, owner, allowed in (
                (OWN, fakes.OWNER, True), (FOREIGN, fakes.OWNER, False), (NOBODY, fakes.OWNER, False),
                (OWN, None, False),
                (NOBODY, None, False), (fakes.admin(), fakes.OWNER, True), (fakes.admin(), None, True),
                (ANONYMOUS, None, False),
                (fakes.caller(None, ('admin',), read_only=True), fakes.OWNER, False)):
            for verb in WRITES:
                with self.subTest(project=context.owner, owner=owner, verb=verb):
                    images, spy = layer(context)
                    if allowed:
                        write(images, verb, image(owner=owner))
                        self.assertEqual([verb], spy.calls)
                    else:
                        self.assertRaises(exceptions.Forbidden, write, images, verb, image(owner=owner))
                        self.assertEqual([], spy.calls)

    def test_nobody_takes_an_image_by_naming_himself_its_owner(self):
        found = image()
        found.owner = fakes.STRANGER
        for verb in WRITES:
            images, spy = layer(FOREIGN)
            self.assertRaises(exceptions.Forbidden, write, images, verb, found)
            self.assertEqual([], spy.calls)

    def test_only_administrators_give_images_away(self):
        for context, allowed in ((OWN, False), (fakes.admin(), True)):
            for owner in (fakes.STRANGER, None):
                found = image()
                found.owner = owner
                images, spy = layer(context)
                if allowed:
                    images.save(found)
                    self.assertEqual(['save'], spy.calls)
                else:
                    self.assertRaises(exceptions.Forbidden, images.save, found)
                    self.assertEqual([], spy.calls)

    def test_errors_below_come_through(self):
        for verb in WRITES:
            images, _ = layer(OWN, **{verb: exceptions.DatabaseUnavailable()})
            self.assertRaises(exceptions.DatabaseUnavailable, write, images, verb, image())


class NewTest(unittest.TestCase):

    def new(self, context, values):
        images, spy = layer(context, new=lambda values: values)
        try:
            return images.new(values)
        except exceptions.Forbidden:
            self.assertEqual([], spy.calls)
            return None

    def test_the_callers_project_is_the_owner_by_default(self):
        self.assertEqual(fakes.OWNER, self.new(OWN, {})['owner'])
        self.assertEqual('p-admin', self.new(fakes.admin(), {})['owner'])

    def test_own_project_by_name(self):
        self.assertEqual(fakes.OWNER, self.new(OWN, {'owner': fakes.OWNER})['owner'])

    def test_others_are_for_administrators(self):
        for owner in (fakes.STRANGER, None):
            self.assertIsNone(self.new(OWN, {'owner': owner}))
            self.assertEqual(owner, self.new(fakes.admin(), {'owner': owner})['owner'])

    def test_callers_without_a_project_make_nothing(self):
        for context in (NOBODY, ANONYMOUS):
            self.assertIsNone(self.new(context, {}))
            self.assertIsNone(self.new(context, {'owner': fakes.OWNER}))


class DataTest(unittest.TestCase):

    def test_data_of_deactivated_images_is_for_administrators(self):
        for context in (OWN, FOREIGN, fakes.admin()):
            for status in STATUSES:
                for verb in ('data_size', 'download'):
                    with self.subTest(project=context.owner, status=status, verb=verb):
                        images, spy = layer(context)
                        if status == 'deactivated' and not context.is_admin:
                            self.assertRaises(exceptions.Forbidden, getattr(images, verb), image(status=status))
                            self.assertEqual([], spy.calls)
                        else:
                            getattr(images, verb)(image(status=status))
                            self.assertEqual([verb], spy.calls)
