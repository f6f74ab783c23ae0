"""The files of ``etc`` for systemd and logrotate, judged by systemd and logrotate themselves; nothing is installed."""
import configparser
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.harness.server import ROOT

ETC = ROOT / 'etc'
PROGRAMS = pathlib.Path(sys.executable).parent
MOST_EXPOSURE = 1.5
"""Of the 10 that systemd-analyze gives to a service without any protection."""
TIMERS = {'glance-cache-cleaner', 'glance-cache-pruner', 'glance-cache-prefetcher', 'glance-purge'}
SERVICES = TIMERS | {'glance-api', 'glance-registry', 'glance-scrubber'}


class _Unit(configparser.RawConfigParser):
    """A unit file; an option that stands there several times has its values in lines."""

    def __init__(self, path: pathlib.Path):
        super().__init__(strict=False, delimiters=('=',), comment_prefixes=('#',))
        self.optionxform = str
        self.values = [tuple(line.split('=', 1)) for line in path.read_text().splitlines() if re.match(r'\w+=', line)]
        self.read_string(path.read_text())

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.values if key == name]


def run(*command: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120)


class UnitsTest(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-'))
        self.addCleanup(shutil.rmtree, self.folder)
        for path in (ETC / 'systemd').iterdir():
            # The programs are not where a package installs them.
            (self.folder / path.name).write_text(path.read_text().replace('/usr/bin/glance-', '%s/glance-' % PROGRAMS))
        self.units = {path.name: _Unit(path) for path in self.folder.iterdir()}

    def commands(self):
        """Each service with the words of its commands."""
        for name, unit in self.units.items():
            for command in unit.all('ExecStart'):
                program, *arguments = shlex.split(command)
                yield name, program, arguments

    def test_there_is_one_for_everything(self):
        self.assertEqual({*('%s.service' % name for name in SERVICES), *('%s.timer' % name for name in TIMERS),
                          'glance-api.socket'}, set(self.units))

    def test_systemd_finds_no_fault(self):
        result = run('systemd-analyze', 'verify', '--man=no', *sorted(self.folder.iterdir()))
        self.assertEqual((0, ''), (result.returncode, result.stdout))

    def test_services_are_confined(self):
        for name in sorted(SERVICES):
            with self.subTest(name=name):
                result = run('systemd-analyze', 'security', '--offline=true', '--threshold=%d' % (MOST_EXPOSURE * 10),
                             self.folder / (name + '.service'))
                self.assertEqual(0, result.returncode, result.stdout)

    def test_times_of_timers_are_understood(self):
        for name in TIMERS:
            result = run('systemd-analyze', 'calendar', self.units[name + '.timer']['Timer']['OnCalendar'])
            self.assertEqual(0, result.returncode, result.stdout)

    def test_programs_and_their_options_exist(self):
        for name, program, arguments in self.commands():
            with self.subTest(name=name):
                words = [argument for argument in arguments if re.fullmatch('[a-z_]+', argument)]
                shown = run(program, *words, '--help')
                self.assertEqual(0, shown.returncode, shown.stdout)
                for option in [argument for argument in arguments if argument.startswith('--')]:
                    self.assertRegex(shown.stdout, r'(?m)(^|[\s,\[])%s\b' % re.escape(option))

    def test_users_and_folders_are_those_of_the_units(self):
        self.assertEqual({'glance'}, {unit['Service'][key] for name, unit in self.units.items() if name.endswith('.service')
                                      for key in ('User', 'Group', 'StateDirectory', 'LogsDirectory', 'RuntimeDirectory')})
        root = self.folder / 'root'
        (root / 'etc').mkdir(parents=True)
        for kind, program in (('sysusers.d', 'systemd-sysusers'), ('tmpfiles.d', 'systemd-tmpfiles')):
            options = ['--create'] if kind == 'tmpfiles.d' else []
            result = run(program, '--root=%s' % root, *options, ETC / kind / 'glance.conf')
            self.assertEqual(0, result.returncode, result.stdout)
        self.assertRegex((root / 'etc' / 'passwd').read_text(), r'(?m)^glance:.*:/var/lib/glance:.*/nologin$')
        uid = int(re.search(r'(?m)^glance:[^:]*:(\d+):', (root / 'etc' / 'passwd').read_text())[1])
        for path, owner in (('etc/glance', 0), ('var/lib/glance', uid), ('var/lib/glance/images', uid),
                            ('var/lib/glance/image-cache', uid), ('var/lib/glance/staging', uid),
                            ('var/log/glance', uid), ('run/glance', uid)):
            with self.subTest(path=path):
                status = (root / path).stat()
                self.assertEqual((0o750, owner), (status.st_mode & 0o777, status.st_uid))


class LogrotateTest(unittest.TestCase):

    def test_a_log_is_rotated_and_the_service_told(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-'))
        self.addCleanup(shutil.rmtree, folder)
        (folder / 'glance-api.log').write_text('a line\n')
        text = (ETC / 'logrotate.d' / 'glance').read_text().replace('/var/log/glance', str(folder))
        text = re.sub(r'(?m)^ *(su|create) .*\n', '', text)  # there is no user glance here
        text = text.replace('systemctl reload', 'touch %s/told #' % folder)
        (folder / 'rotate.conf').write_text(text)
        os.chmod(folder / 'rotate.conf', 0o644)
        result = run(shutil.which('logrotate', path='/usr/sbin:/sbin:%s' % os.environ['PATH']), '--force', '--state',
                     folder / 'state', folder / 'rotate.conf')
        self.assertEqual(0, result.returncode, result.stdout)
        self.assertEqual('a line\n', (folder / 'glance-api.log.1').read_text())
        self.assertTrue((folder / 'told').exists())
