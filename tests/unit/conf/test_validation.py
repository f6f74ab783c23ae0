import os
from unittest import mock

from oslo_config import cfg

from glance import conf
from glance.conf import cache
from glance.conf.validation import advice
from glance.exceptions import ConfigurationError
from tests.unit.conf.loaded import ConfigurationTest


class ValueTest(ConfigurationTest):
    def test_a_bad_value_is_named_with_file_section_option_and_value(self):
        for section, name, value in (
                ('DEFAULT', 'workers', '-1'),
                ('DEFAULT', 'backlog', 'many'),
                ('DEFAULT', 'bind_port', '70000'),
                ('DEFAULT', 'enabled_import_methods', '[web-download'),
                ('DEFAULT', 'enabled_import_methods', 'web-upload'),
                ('DEFAULT', 'user_storage_quota', '10 GB'),
                ('DEFAULT', 'hashing_algorithm', 'sha513'),
                ('DEFAULT', 'node_staging_uri', 'http://host/staging'),
                ('DEFAULT', 'image_cache_driver', 'redis'),
                ('DEFAULT', 'image_size_cap', '0'),
                ('DEFAULT', 'ssl_min_version', 'SSLv3'),
                ('DEFAULT', 'trusted_proxies', 'proxy'),
                ('DEFAULT', 'data_api', 'glance.db.nowhere'),
                ('task', 'task_executor', 'celery'),
                ('taskflow_executor', 'max_workers', '0'),
                ('image_format', 'gpt_safety_checks_nonfatal', 'gpt'),
                ('image_conversion', 'output_format', 'vdi'),
                ('import_filtering_opts', 'allowed_ports', '[0]'),
                ('wsgi', 'task_pool_threads', '0'),
                ('glance_store', 'default_store', 'floppy'),
                ('database', 'max_retries', 'often'),
                ('DEFAULT', 'debug', 'perhaps'),
                ('DEFAULT', 'use_syslog', 'maybe'),
        ):
            with self.subTest(name=name, value=value):
                sentence = self.assert_refused('[%s]\n%s = %s\n' % (section, name, value))
                self.assertTrue(sentence.startswith('%s/glance-api.conf: [%s] %s = %s is not valid: '
                                                    % (self.folder, section, name, value)), sentence)

    def test_numbers_are_asked_for_in_plain_words(self):
        for name in ('backlog', 'max_header_line'):
            self.assertIn("'many' is no whole number", self.assert_refused('[DEFAULT]\n%s = many\n' % name))

    def test_the_file_named_is_the_one_whose_value_counts(self):
        first = self.write('[DEFAULT]\nworkers = bad\n', 'first.conf')
        second = self.write('[DEFAULT]\nbacklog = 7\n', 'second.conf')
        with self.assertRaises(conf.InvalidOptionValue) as caught:
            conf.load([], default_config_files=[first, second], default_config_dirs=[], conf=cfg.ConfigOpts())
        self.assertTrue(str(caught.exception).startswith(first))

    def test_a_value_under_a_former_name_is_found(self):
        sentence = self.assert_refused('[DEFAULT]\ntask_time_to_live = long\n')
        self.assertIn('glance-api.conf: [task] task_time_to_live = long', sentence)

    def test_a_bad_environment_variable_is_named(self):
        with mock.patch.dict(os.environ, OS_DEFAULT__WORKERS='some'):
            sentence = self.assert_refused('[DEFAULT]\nworkers = 2\n')
        self.assertIn('OS_DEFAULT__WORKERS: [DEFAULT] workers = some', sentence)

    def test_a_secret_is_not_repeated(self):
        sentence = self.assert_refused('[DEFAULT]\nmetadata_encryption_key = hunter2\n')
        self.assertIn('metadata_encryption_key is not valid', sentence)
        self.assertNotIn('hunter2', sentence)

    def test_a_bad_option_of_the_command_line_in_a_file_is_refused(self):
        self.assertIn('debug', self.assert_refused('[DEFAULT]\ndebug = perhaps\n'))


class CombinationTest(ConfigurationTest):
    def assert_refused(self, text: str, kind=ConfigurationError, prog: str = 'glance-api') -> str:
        sentence = super().assert_refused(text, kind, prog)
        with self.assertRaises(ConfigurationError) as caught:
            self.load(text, prog=prog)
        self.assertNotIsInstance(caught.exception, conf.InvalidOptionValue)
        return sentence

    def test_certificate_and_key_come_together(self):
        for name in ('cert_file', 'key_file'):
            sentence = self.assert_refused('[DEFAULT]\n%s = /tls.pem\n' % name)
            self.assertIn('cert_file', sentence)
            self.assertIn('key_file', sentence)
        self.load('[DEFAULT]\ncert_file = /tls.pem\nkey_file = /tls.pem\n')

    def test_trusted_auth_needs_trusted_proxies_or_loopback(self):
        flavor = '[paste_deploy]\nflavor = trusted-auth+cachemanagement\n[DEFAULT]\nimage_cache_driver = sqlite\nimage_cache_dir = /cache\n'
        self.assertIn('trusted_proxies', self.assert_refused(flavor))
        self.assertIn('trusted_proxies', self.assert_refused(flavor, prog='glance-registry'))
        for host in ('127.0.0.1', '::1', 'localhost'):
            self.load(flavor + 'bind_host = %s\n' % host)
        self.load(flavor + 'trusted_proxies = 192.0.2.1\n')
        for proof in ('registry_shared_secret = s', 'registry_trust_any_peer = true'):
            self.load(flavor + proof, prog='glance-registry')
            self.assertIn('trusted_proxies', self.assert_refused(flavor + proof))

    def test_the_central_cache_list_needs_the_url_of_the_node(self):
        flavor = '[paste_deploy]\nflavor = keystone+caching\n[DEFAULT]\nimage_cache_dir = /cache\n'
        self.assertIn('worker_self_reference_url', self.assert_refused(flavor + 'image_cache_driver = centralized_db\n'))
        self.assertEqual('sqlite', cache.driver(self.load(flavor)))
        node = 'worker_self_reference_url = http://node1:9292\n'
        self.assertEqual('centralized_db', cache.driver(self.load(flavor + node)))
        self.assertEqual('xattr', cache.driver(self.load(flavor + 'image_cache_driver = XATTR\n')))

    def test_a_cache_needs_a_directory(self):
        self.assertIn('image_cache_dir', self.assert_refused('[paste_deploy]\nflavor = caching\n'))
        for prog in ('glance-cache-pruner', 'glance-cache-cleaner', 'glance-cache-prefetcher'):
            self.assertIn('image_cache_dir', self.assert_refused('[DEFAULT]\n', prog=prog))
            self.assertIn('worker_self_reference_url', self.assert_refused(
                '[DEFAULT]\nimage_cache_dir = /cache\nimage_cache_driver = centralized_db\n', prog=prog))
            self.load('[DEFAULT]\nimage_cache_dir = /cache\n', prog=prog)

    def test_the_scrubber_either_runs_or_restores(self):
        with self.assertRaises(ConfigurationError):
            self.load(args=('--daemon', '--restore', 'some-id'), prog='glance-scrubber')

    def test_a_database_is_required_unless_records_are_elsewhere(self):
        with self.assertRaises(ConfigurationError) as caught:
            conf.require_database(self.load())
        self.assertIn('[database] connection', str(caught.exception))
        conf.require_database(self.load('[database]\nconnection = sqlite://\n'))
        conf.require_database(self.load('[DEFAULT]\ndata_api = glance.db.registry.api\n'))


class AdviceTest(ConfigurationTest):
    def test_doubtful_settings_are_remarked(self):
        good = '[paste_deploy]\nflavor = keystone\n[DEFAULT]\nnode_staging_uri = file:///srv/staging\n'
        self.assertEqual([], list(advice(self.load(good), 'glance-api')))
        for text, word in (
                ('[paste_deploy]\nflavor = keystone\n', 'node_staging_uri'),
                (good + 'owner_is_tenant = false', 'owner_is_tenant'),
                (good + 'admin_role = boss', 'admin_role'),
                (good + 'digest_algorithm = sha1', 'digest_algorithm'),
                (good + '[task]\ntask_executor = eventlet', 'task_executor'),
                (good + 'show_image_direct_url = true', 'show_image_direct_url'),
                (good + 'show_multiple_locations = true', 'show_multiple_locations'),
                (good.replace('keystone', ''), 'everybody who reaches 0.0.0.0 is an administrator'),
                (good.replace('keystone', '') + 'bind_host = 127.0.0.1\n[keystone_authtoken]\nauth_url = http://k',
                 'everybody who reaches 127.0.0.1'),
        ):
            with self.subTest(text):
                sentences = list(advice(self.load(text), 'glance-api'))
                self.assertEqual(1, len(sentences))
                self.assertIn(word, sentences[0])

    def test_what_opens_images_in_use_is_remarked_apart(self):
        text = '[DEFAULT]\nbind_host = ::1\nshow_multiple_locations = true\nverify_added_locations = false\nenabled_backends = a:file\n'
        sentences = list(advice(self.load(text), 'glance-api'))
        self.assertEqual(['show_multiple_locations', 'verify_added_locations'], [text.split()[1] for text in sentences])

    def test_several_stores_have_a_staging_store_of_their_own(self):
        text = '[DEFAULT]\nenabled_backends = one:file\nbind_host = 127.0.0.1\n'
        self.assertEqual([], list(advice(self.load(text), 'glance-api')))

    def test_a_registry_that_everybody_may_write_to(self):
        for text, count in (('', 1), ('bind_host = 127.0.0.1', 0), ('ca_file = x', 0), ('[paste_deploy]\nflavor = keystone', 0),
                            ('registry_trust_any_peer = true\n[paste_deploy]\nflavor = trusted-auth', 1)):
            with self.subTest(text):
                sentences = list(advice(self.load('[DEFAULT]\n' + text, prog='glance-registry'), 'glance-registry'))
                self.assertEqual(count, len(sentences), sentences)
