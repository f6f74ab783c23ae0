import datetime
import json
import os
import pathlib
import unittest
from unittest import mock

from glance import exceptions
from glance.db.sqlalchemy import dialects
from glance.diagnosis import identity, report, security, stores
from glance.diagnosis.result import Check, Finding, Verdict, exit_code, failure, fine, run, warning
from tests.harness import signing
from tests.unit.conf.loaded import ConfigurationTest


def texts(findings) -> list[tuple[str, str]]:
    return [(finding.verdict.name, finding.text) for finding in findings]


class Running(unittest.TestCase):

    def result(self, look):
        return next(run([Check('title', look, 'all is well')], None))

    def test_the_worst_finding_counts(self):
        result = self.result(lambda conf: [fine('a'), failure('b'), warning('c')])
        self.assertIs(Verdict.FAILURE, result.verdict)
        self.assertEqual(2, exit_code([self.result(lambda conf: [warning('x')]), result]))

    def test_nothing_found(self):
        self.assertEqual((fine('all is well'),), self.result(lambda conf: []).findings)
        self.assertEqual(0, exit_code([]))

    def test_errors_are_findings(self):
        def refuse(conf):
            yield warning('first')
            raise exceptions.ConfigurationError('what to change')
        self.assertEqual((warning('first'), failure('what to change')), self.result(refuse).findings)

        def crash(conf):
            raise KeyError('oops')
        finding, = self.result(crash).findings
        self.assertIs(Verdict.FAILURE, finding.verdict)
        self.assertIn('KeyError', finding.text)


class Reports(unittest.TestCase):

    def setUp(self):
        self.results = list(run([Check('one', lambda conf: [warning('word ' * 30), fine('second')]), Check('two', lambda conf: [])],
                                None))

    def test_table(self):
        lines = report.table('Title', self.results).splitlines()
        self.assertEqual(1, len(set(map(len, lines))))
        self.assertEqual(3, sum(line.startswith('+-') for line in lines[2:]))
        self.assertEqual(['Check: one', 'Result: Warning'], [line.strip('| ') for line in lines[3:5]])

    def test_json(self):
        content = json.loads(report.as_json('Title', self.results))
        self.assertEqual(('Title', [1, 0]), (content['name'], [check['result'] for check in content['checks']]))
        self.assertTrue(content['checks'][0]['details'].endswith('\nsecond'))

    def test_lines(self):
        lines = report.lines(self.results).splitlines()
        self.assertEqual('[ok]      two: Nothing was found.', lines[-1])
        self.assertTrue(lines[0].startswith('[warning] one: word'))


class Clock(unittest.TestCase):

    def test_skew(self):
        for skew, verdict, words in ((0.0, 'SUCCESS', 'agrees'), (-4.9, 'SUCCESS', 'agrees'), (30, 'WARNING', '30 s ahead of'),
                                     (-30, 'WARNING', '30 s behind'), (61, 'FAILURE', '61 s ahead of'), (-3600, 'FAILURE', 'behind')):
            with self.subTest(skew=skew):
                finding = identity._judged('Keystone', skew)
                self.assertEqual(verdict, finding.verdict.name)
                self.assertIn(words, finding.text)


    def test_every_kind_of_server_is_asked(self):
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        for dialect in dialects.DIALECTS.keys() - {'sqlite'}:
            engine = mock.MagicMock()
            engine.dialect.name = dialect
            engine.connect.return_value.__enter__.return_value.scalar.return_value = now
            self.assertLess(abs(identity._skew_of_database(engine)), 60, dialect)


class Space(unittest.TestCase):

    def room(self, free: int, total: int, inodes: tuple[int, int] = (50, 100)) -> Finding:
        disk = os.statvfs_result((4096, 1 << 20, total, free, free, inodes[1], inodes[0], inodes[0], 0, 255))
        with mock.patch.object(stores.os, 'statvfs', return_value=disk):
            return stores._room('/srv/images', 'images')

    def test_of_disks(self):
        for free, total, verdict in ((500, 1000, 'SUCCESS'), (9, 1000, 'FAILURE'), (5, 100, 'WARNING'),
                                     (50 << 10, 1000 << 10, 'SUCCESS')):   # 5 %, which is 50 TiB here
            with self.subTest(free=free, total=total):
                self.assertEqual(verdict, self.room(free, total).verdict.name)
        self.assertIn('inodes', self.room(500, 1000, (0, 1000)).text)


class Certificates(ConfigurationTest):

    def findings(self, **times) -> list[tuple[str, str]]:
        path = signing.write_server_certificate(self.folder / 'server.pem', 'localhost', **times)
        conf = self.load('[DEFAULT]\ncert_file = %s\nkey_file = %s\n' % (path, path))
        return texts(security.certificate(conf))

    def test_expiry(self):
        self.assertEqual([], self.findings(not_after=60 * signing.DAY))
        for times, verdict, words in (({'not_after': signing.DAY}, 'WARNING', 'expires on'),
                                      ({'not_after': -signing.DAY / 2}, 'FAILURE', 'expired on')):
            found, = self.findings(**times)
            self.assertEqual(verdict, found[0])
            self.assertIn(words, found[1])

    def test_no_certificate(self):
        conf = self.load('[DEFAULT]\ncert_file = /nowhere\nkey_file = /nowhere\n')
        self.assertIn('cannot be read', texts(security.certificate(conf))[0][1])
        path = pathlib.Path(self.folder / 'rubbish')
        path.write_text('rubbish')
        conf = self.load('[DEFAULT]\ncert_file = %s\nkey_file = /nowhere\n' % path)
        self.assertIn('no certificate', texts(security.certificate(conf))[0][1])
