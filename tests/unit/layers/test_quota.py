"""Limits on what an image has, with a spy below."""
import types
import unittest

from glance import exceptions
from glance.domain.image import Image
from glance.layers.quota import QuotaImages
from glance.metrics.recorder import Metrics
from tests.unit.layers import fakes


def layer(tags=128, properties=128, cap=100, **answers):
    conf = types.SimpleNamespace(image_tag_quota=tags, image_property_quota=properties, image_size_cap=cap)
    spy = fakes.Spy(new=lambda values: Image('i', **values), **answers)
    return QuotaImages(spy, fakes.caller(), types.SimpleNamespace(conf=conf, metrics=Metrics())), spy


def names(count, start=0):
    return ['n%d' % number for number in range(start, start + count)]


def stored(**values):
    image = Image('i', **values)
    image.remember()
    return image


class RateTest(unittest.TestCase):

    def test_new_images_count_for_the_project_of_who_creates_them(self):
        asked, spy = [], fakes.Spy()
        env = types.SimpleNamespace(create_rate=types.SimpleNamespace(take=asked.append))
        QuotaImages(spy, fakes.caller(), env).add(Image('i', owner='other'))
        self.assertEqual(([fakes.OWNER], ['add']), (asked, spy.calls))

    def test_what_comes_too_soon_is_not_stored(self):
        def refuse(owner):
            raise exceptions.RateExceeded(1, 1)
        spy = fakes.Spy()
        images = QuotaImages(spy, fakes.caller(), types.SimpleNamespace(create_rate=types.SimpleNamespace(take=refuse)))
        self.assertRaises(exceptions.RateExceeded, images.add, Image('i'))
        self.assertEqual([], spy.calls)


class CountTest(unittest.TestCase):

    def assert_over(self, call, *args):
        with self.assertRaises(exceptions.LimitExceeded) as caught:
            call(*args)
        return str(caught.exception)

    def test_new_images(self):
        images, _ = layer(tags=2, properties=2)
        images.new({'tags': names(2), 'extra_properties': dict.fromkeys(names(2), 'v')})
        text = self.assert_over(images.new, {'tags': names(3)})
        self.assertTrue('3' in text and '2' in text)
        self.assert_over(images.new, {'extra_properties': dict.fromkeys(names(3), 'v')})

    def test_negative_is_no_limit_and_zero_is_none(self):
        images, _ = layer(tags=-1, properties=-1)
        images.new({'tags': names(1000), 'extra_properties': dict.fromkeys(names(1000), 'v')})
        images, _ = layer(tags=0, properties=0)
        images.new({})
        self.assert_over(images.new, {'tags': ['a']})
        self.assert_over(images.new, {'extra_properties': {'a': 'v'}})

    def test_internal_properties_do_not_count(self):
        images, _ = layer(properties=1)
        image = images.new({'extra_properties': {'a': 'v', **{'os_glance_' + name: 'v' for name in names(5)}}})
        self.assertEqual(6, len(image.extra_properties))

    def test_adding_to_a_stored_image(self):
        images, spy = layer(tags=2, properties=2)
        image = stored(tags=names(2), extra_properties=dict.fromkeys(names(2), 'v'))
        image.tags = names(3)
        self.assert_over(images.save, image)
        image.tags, image.extra_properties = names(2), dict.fromkeys(names(3), 'v')
        self.assert_over(images.save, image)
        self.assertEqual([], spy.calls)
        image.extra_properties = dict.fromkeys(names(2, 1), 'v')
        image.tags = names(2, 1)
        images.save(image)
        self.assertEqual(['save'], spy.calls)

    def test_an_image_over_the_limit_can_be_changed_otherwise(self):
        images, spy = layer(tags=2, properties=2)
        image = stored(tags=names(5), extra_properties=dict.fromkeys(names(5), 'v'))
        image.name, image.tags = 'x', names(4)
        image.extra_properties = {**dict.fromkeys(names(4), 'w'), 'os_glance_x': 'v'}
        images.save(image)
        self.assertEqual(['save'], spy.calls)

    def test_an_image_over_the_limit_gets_no_more(self):
        images, _ = layer(tags=2, properties=2)
        image = stored(extra_properties=dict.fromkeys(names(5), 'v'))
        image.extra_properties['more'] = 'v'
        self.assert_over(images.save, image)


class SizeTest(unittest.TestCase):

    def test_an_announced_size_above_the_cap_is_refused_unread(self):
        images, spy = layer(cap=100)
        source = fakes.Source(b'x')
        self.assertRaises(exceptions.ImageSizeLimitExceeded, images.upload, stored(), source, 101)
        self.assertEqual(([], 0), (spy.calls, source.read))
        for size in (100, 0, None):
            images.upload(stored(), source, size)
        self.assertEqual(['upload'] * 3, spy.calls)
