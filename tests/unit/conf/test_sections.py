import os
import unittest
from collections import Counter
from unittest import mock

from oslo_config import cfg
from oslo_log import log
from oslo_messaging import opts as messaging
from oslo_middleware import opts as middleware

from glance import conf
from glance.conf import libraries, sections, server


class SectionsTest(unittest.TestCase):
    def setUp(self):
        self.listed = sections.list_opts() + sections.list_import_opts()
        self.conf = cfg.ConfigOpts()
        conf.register(self.conf)
        self.conf([], default_config_files=[], default_config_dirs=[], use_env=False)

    def test_each_group_is_listed_once_and_each_option_once(self):
        groups = Counter(group for group, _ in self.listed)
        self.assertEqual([], [group for group, count in groups.items() if count > 1])
        names = Counter((group, option.dest) for group, options in self.listed for option in options)
        self.assertEqual([], [name for name, count in names.items() if count > 1])

    def test_every_option_is_explained_in_sentences(self):
        for group, options in self.listed:
            for option in options:
                with self.subTest(group=group, option=option.name):
                    self.assertRegex(option.help, r'^[A-Z].*(\.|Example: \S+)$')

    def test_every_listed_option_is_registered_with_its_default(self):
        for group, options in self.listed:
            for option in options:
                with self.subTest(group=group, option=option.name):
                    value = self.conf[group][option.dest] if group else self.conf[option.dest]
                    self.assertEqual(option.default, value)

    def test_registering_twice_does_no_harm(self):
        conf.register(self.conf)
        self.assertEqual(1000, self.conf.api_limit_max)

    def test_defaults_that_differ_from_other_releases(self):
        for name, default in (
                ('enable_v1_api', False), ('admin_role', None), ('graceful_shutdown_timeout', 60),
                ('trusted_proxies', []), ('ssl_min_version', 'TLSv1.2'), ('ssl_ciphers', ''), ('header_timeout', 20),
                ('keepalive_timeout', 65), ('max_connections', 1000), ('max_json_body_size', 10 * 1024 * 1024),
                ('ownerless_images_visible', True),
        ):
            self.assertEqual(default, self.conf[name], name)


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.conf = cfg.ConfigOpts()
        conf.register(self.conf)
        self.conf([], default_config_files=[], default_config_dirs=[], use_env=False)

    def test_there_are_as_many_workers_as_processors_but_not_more_than_eight(self):
        for processors, expected in ((1, 1), (4, 4), (64, 8)):
            with mock.patch.object(os, 'sched_getaffinity', return_value=set(range(processors))):
                self.assertEqual(expected, server.worker_count(self.conf))
        self.conf.set_override('workers', 0)
        self.assertEqual(0, server.worker_count(self.conf))

    def test_each_program_has_its_port(self):
        self.assertEqual(9292, server.port(self.conf, 'glance-api'))
        self.assertEqual(9191, server.port(self.conf, 'glance-registry'))
        self.conf.set_override('bind_port', 0)
        self.assertEqual(0, server.port(self.conf, 'glance-api'))


class LibrariesTest(unittest.TestCase):
    def test_samples_show_the_defaults_of_the_service(self):
        libraries.set_sample_defaults()
        exchange = {option.name: option.default for _, options in messaging.list_opts() for option in options}
        cors = {option.name: option.default for _, options in middleware.list_opts_cors() for option in options}
        self.assertEqual('glance', exchange['control_exchange'])
        self.assertEqual(['GET', 'PUT', 'POST', 'DELETE', 'PATCH'], cors['allow_methods'])
        self.assertIn('X-Image-Meta-Checksum', cors['expose_headers'])

    def test_log_levels_are_added_once(self):
        libraries.set_log_defaults()
        libraries.set_log_defaults()
        options = cfg.ConfigOpts()
        log.register_options(options)
        options([], default_config_files=[], default_config_dirs=[])
        self.assertEqual(1, options.default_log_levels.count('botocore=WARN'))
