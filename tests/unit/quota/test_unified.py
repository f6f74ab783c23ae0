"""Unified limits with a client in memory."""
import types
import unittest

from keystoneauth1 import exceptions as keystone_errors

from glance import exceptions
from glance.db.interface import RESOURCES
from glance.quota import unified
from glance.quota.unified import KEPT_SECONDS, MIB, UnifiedLimits
from tests.unit.layers import fakes

LIMITS = {'image_size_total': 5, 'image_stage_total': -1, 'image_count_total': 7, 'image_count_uploading': 0}


class Client:
    def __init__(self, **limits):
        self.limits, self.asked, self.error = {**LIMITS, **limits}, [], None

    def get_project_limits(self, project_id, names):
        if self.error:
            raise self.error
        self.asked.append((project_id, tuple(names)))
        return [(name, self.limits[name]) for name in names]


class UnifiedTest(unittest.TestCase):

    def setUp(self):
        self.client, self.clock = Client(), fakes.Clock()
        self.quotas = UnifiedLimits(lambda: self.client, self.clock.monotonic)

    def test_limits_in_the_units_of_records(self):
        self.assertEqual({'storage': 5 * MIB, 'images': 7, 'uploading': 0}, self.quotas.limits('p', RESOURCES))

    def test_a_negative_limit_is_none(self):
        self.assertEqual({}, self.quotas.limits('p', ('staging',)))

    def test_only_what_is_needed_is_asked_for(self):
        self.assertEqual({}, self.quotas.limits('p', ()))
        self.assertEqual({}, self.quotas.limits(None, RESOURCES))
        self.assertEqual([], self.client.asked)
        self.quotas.limits('p', ('storage', 'uploading'))
        self.assertEqual([('p', ('image_size_total', 'image_count_uploading'))], self.client.asked)

    def test_a_limit_is_remembered_for_some_seconds(self):
        self.quotas.limits('p', ('storage',))
        self.client.limits['image_size_total'] = 6
        self.clock.now += KEPT_SECONDS - 1
        self.assertEqual({'storage': 5 * MIB, 'images': 7}, self.quotas.limits('p', ('storage', 'images')))
        self.assertEqual({'storage': 6 * MIB}, self.quotas.limits('q', ('storage',)))
        self.assertEqual([('p', ('image_size_total',)), ('p', ('image_count_total',)), ('q', ('image_size_total',))],
                         self.client.asked)
        self.clock.now += 1
        self.assertEqual({'storage': 6 * MIB, 'images': 7}, self.quotas.limits('p', ('storage', 'images')))

    def test_memory_does_not_grow_for_ever(self):
        for number in range(3000):
            self.quotas.limits(str(number), RESOURCES)
        self.assertLessEqual(len(self.quotas._kept), 4096 + len(RESOURCES))

    def test_a_refusal_names_project_limit_use_and_request(self):
        error = self.quotas.refusal('p', exceptions.OverLimit('storage', 5 * MIB, 3 * MIB, 3 * MIB))
        self.assertIn('image_size_total is over limit of 5 due to current usage 3 and delta 3', str(error))
        self.assertIn('Project p ', str(error))
        self.assertIn('image_count_total is over limit of 7 due to current usage 7 and delta 1',
                      str(self.quotas.refusal('p', exceptions.OverLimit('images', 7, 7, 1))))

    def test_a_begun_mebibyte_counts(self):
        error = self.quotas.refusal('p', exceptions.OverLimit('staging', 5 * MIB, 2 * MIB + 1, 3 * MIB))
        self.assertIn('image_stage_total is over limit of 5 due to current usage 3 and delta 3', str(error))

    def test_report(self):
        usage = {'storage': 2 * MIB + 1, 'staging': 0, 'images': 3, 'uploading': 1}
        asked = []
        self.assertEqual({
            'image_size_total': {'usage': 3, 'limit': 5}, 'image_stage_total': {'usage': 0, 'limit': -1},
            'image_count_total': {'usage': 3, 'limit': 7}, 'image_count_uploading': {'usage': 1, 'limit': 0},
        }, self.quotas.report('p', lambda owner: asked.append(owner) or usage))
        self.assertEqual(['p'], asked)
        self.assertEqual({}, self.quotas.report(None, self.fail))

    def test_an_outage_is_told_apart_from_a_mistake(self):
        outages = [keystone_errors.ConnectFailure('x'), keystone_errors.ConnectTimeout('x'),
                   keystone_errors.InternalServerError(), keystone_errors.ServiceUnavailable(),
                   types.new_class('E', (Exception,))(), ]
        outages[-1].status_code = 502
        wrapped = ValueError('x')
        wrapped.__context__ = keystone_errors.ConnectFailure('x')
        mistakes = [keystone_errors.Unauthorized(), ValueError('Service not found'), keystone_errors.Forbidden(),
                    keystone_errors.MissingRequiredOptions([])]
        for error, kind in [(error, exceptions.LimitsUnavailable) for error in [*outages, wrapped]] + [
                (error, exceptions.ConfigurationError) for error in mistakes]:
            self.client.error = error
            with self.subTest(error=error), self.assertLogs(unified.LOG, 'ERROR'):
                self.assertRaises(kind, self.quotas.limits, 'p', ('storage',))

    def test_after_an_outage_it_is_asked_again(self):
        plan = [keystone_errors.ConnectFailure('x')]

        def connect():
            if plan:
                raise plan.pop()
            return self.client
        quotas = UnifiedLimits(connect)
        with self.assertLogs(unified.LOG, 'ERROR'):
            self.assertRaises(exceptions.LimitsUnavailable, quotas.limits, 'p', ('storage',))
        self.assertEqual({'storage': 5 * MIB}, quotas.limits('p', ('storage',)))
