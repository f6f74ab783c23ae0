"""Real daemons for tests: own configuration folder, own database, own port."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from typing import Self

import psutil

from glance.db.sqlalchemy import schema
from tests.harness import commands
from tests.harness.client import ApiClient
from tests.harness.databases import ScratchDatabase, scratch_database

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = ROOT / 'etc' / 'glance'
START_SECONDS = 60
STOP_SECONDS = 30

Settings = dict[str, dict[str, object]]  # section → option → value; a list writes one line per item


class Daemon:
    """One daemon on loopback, started by :meth:`start` or by entering the context; subclasses say which.

    :param database: ``sqlite``, ``mysql``, ``postgresql``, or a :class:`ScratchDatabase` shared with another server
        (its owner drops it)
    :param flavor: paste flavor; empty is the one without authentication
    :param settings: added to the configuration, option by option
    :param workers: child processes; 0 serves in the parent
    """

    PROGRAM: str
    MODULE: str
    GREETING: str   # a path that everybody may ask for

    def __init__(self, database: str | ScratchDatabase = 'sqlite', flavor: str = '', settings: Settings | None = None,
                 workers: int = 1):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-'))
        self.process: subprocess.Popen | None = None
        self.port: int | None = None
        self._owns_database = isinstance(database, str)
        self.database = scratch_database(database, self.folder) if isinstance(database, str) else database
        self.config_file = self.folder / f'{self.PROGRAM}.conf'
        self.log_file = self.folder / f'{self.PROGRAM}.log'
        base = {
            'DEFAULT': {'bind_host': '127.0.0.1', 'workers': workers, 'debug': True},
            'database': {'connection': self.database.url},
            'paste_deploy': {'config_file': SHIPPED / f'{self.PROGRAM}-paste.ini', 'flavor': flavor},
        }
        self.settings = _merged(_merged(base, self.prepare()), settings or {})

    def prepare(self) -> Settings:
        """Make what the daemon needs in its folder; return the settings that tell of it."""
        return {}

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.cleanup()
            raise

    def __exit__(self, *unused) -> None:
        self.cleanup()

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.port}'

    def client(self, token: str | None = None, headers: dict[str, str] | None = None) -> ApiClient:
        return ApiClient(self.url, token, headers)

    def write_config(self) -> None:
        """Write ``self.settings`` to the configuration file (before a start, or before a HUP)."""
        lines = []
        for section, options in self.settings.items():
            lines.append(f'[{section}]')
            for name, value in options.items():
                lines.extend(f'{name} = {item}' for item in (value if isinstance(value, list) else [value]))
        self.config_file.write_text('\n'.join(lines) + '\n')

    def manage(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run glance-manage with this server's configuration; output as text, exit code not judged."""
        self.write_config()
        return self.run('glance.cmd.manage', *arguments)

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run another program of the project (``glance.cmd.…``) with this server's configuration file."""
        return commands.run(module, '--config-file', str(self.config_file), *arguments, variables=environment(),
                            folder=self.folder)

    def start(self) -> Self:
        """Bring the database up to date, start the daemon and return when it answers.

        :raises AssertionError: the daemon failed; the message holds the log
        """
        self.provide_records()
        self.launch()
        self.wait_until_ready()
        return self

    def sync_database(self) -> None:
        """Do what ``glance-manage db_sync`` does, without the second that a process costs."""
        engine = schema.create_engine(self.settings['database']['connection'])
        try:
            schema.sync(engine)
        finally:
            engine.dispose()

    def provide_records(self) -> None:
        """Make what the daemon needs to keep its records; to be called before a start by other means."""
        self.sync_database()

    def launch(self) -> None:
        """Start the daemon on the port it had before (a free one the first time) without waiting for it."""
        # The socket is made here and inherited: no other process can snatch the port, and what connects before the
        # daemon accepts waits in the backlog.
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(('127.0.0.1', self.port or 0))
            listener.listen(128)
            self.port = listener.getsockname()[1]
            variables = {**environment(), 'GLANCE_TEST_SOCKET_FD': str(listener.fileno())}
            self.settings['DEFAULT']['bind_port'] = self.port
            self.write_config()
            with self.log_file.open('ab') as log:
                self.process = subprocess.Popen(
                    [sys.executable, '-m', self.MODULE, '--config-file', str(self.config_file)],
                    cwd=self.folder, env=variables, pass_fds=[listener.fileno()], start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_until_ready(self) -> None:
        """Return when the daemon answers; it holds the only copy of the socket, so its death is seen at once.

        :raises AssertionError: it ended or kept silent; the message holds the log
        """
        try:
            self.client().get(self.GREETING, timeout=START_SECONDS)
        except OSError as error:
            raise AssertionError(f'{self.PROGRAM} does not answer ({error}), exit code {self.process.poll()}:\n'
                                 f'{self.log_text()}') from error

    def workers(self) -> list[int]:
        """Process ids of the children."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def kill_worker(self, sig: int = signal.SIGKILL) -> int:
        """Send *sig* to one worker and return its process id when it is gone."""
        worker = psutil.Process(self.process.pid).children()[0]
        worker.send_signal(sig)
        psutil.wait_procs([worker], timeout=STOP_SECONDS)
        return worker.pid

    def send_signal(self, sig: int) -> None:
        self.process.send_signal(sig)

    def log_text(self) -> str:
        return self.log_file.read_text(errors='replace') if self.log_file.exists() else ''

    def stop(self, sig: int = signal.SIGTERM) -> int | None:
        """Stop the daemon and return its exit code (None when it was not running); files and database stay.

        :raises AssertionError: it did not stop in time and was killed
        """
        if self.process is None:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(sig)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.PROGRAM} did not stop within {STOP_SECONDS} s:\n{self.log_text()}') from None
        finally:
            _kill_session(process.pid)
            process.wait()

    def cleanup(self) -> None:
        """Stop, drop the database when it is this server's own, remove the folder."""
        try:
            self.stop()
        finally:
            if self._owns_database:
                self.database.drop()
            shutil.rmtree(self.folder, ignore_errors=True)


class RegistryServer(Daemon):
    """A glance-registry."""

    PROGRAM, MODULE, GREETING = 'glance-registry', 'glance.cmd.registry', '/healthcheck'

    def client_settings(self) -> Settings:
        """Configuration with which another daemon keeps its records here."""
        return {'DEFAULT': {'data_api': 'glance.db.registry.api', 'registry_host': '127.0.0.1', 'registry_port': self.port,
                            'registry_client_timeout': 60}}


class GlanceServer(Daemon):
    """A glance-api.

    :param registry: keep the records in a glance-registry of its own, which alone is told where the database is; None does
        what the environment variable GLANCE_TEST_DATA_API says
    """

    PROGRAM, MODULE, GREETING = 'glance-api', 'glance.cmd.api', '/versions'

    def __init__(self, database: str | ScratchDatabase = 'sqlite', flavor: str = '', settings: Settings | None = None,
                 workers: int = 1, registry: bool | None = None):
        super().__init__(database, flavor, settings, workers)
        wanted = os.environ.get('GLANCE_TEST_DATA_API') == 'registry' if registry is None else registry
        self.registry = RegistryServer(self.database) if wanted and 'data_api' not in self.settings['DEFAULT'] else None

    def prepare(self) -> Settings:
        self.images = self.folder / 'images'
        self.images.mkdir()
        (self.folder / 'staging').mkdir()
        shutil.copy(SHIPPED / 'schema-image.json', self.folder)
        return {'DEFAULT': {'node_staging_uri': f'file://{self.folder}/staging'},
                'glance_store': {'stores': 'file', 'default_store': 'file', 'filesystem_store_datadir': self.images},
                'oslo_concurrency': {'lock_path': self.folder / 'locks'}}

    def provide_records(self) -> None:
        if self.registry is None:
            super().provide_records()
        else:
            self.move_to_registry()

    def move_to_registry(self) -> None:
        """Start the registry and hand it what concerns the database."""
        registry = self.registry
        registry.settings['database'] = self.settings.pop('database', registry.settings['database'])
        key = self.settings['DEFAULT'].pop('metadata_encryption_key', None)
        if key:
            registry.settings['DEFAULT']['metadata_encryption_key'] = key
        if registry.process is None:
            registry.start()
        self.settings = _merged(self.settings, registry.client_settings())

    def manage(self, *arguments: str) -> subprocess.CompletedProcess:
        return (self.registry or super()).manage(*arguments)

    def sync_database(self) -> None:
        (self.registry or super()).sync_database()

    def cleanup(self) -> None:
        try:
            if self.registry:
                self.registry.cleanup()
        finally:
            super().cleanup()


def _kill_session(leader: int) -> None:
    """Kill what is left of the session that *leader* started."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader:
                process.kill()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue


def _merged(base: Settings, extra: Settings) -> Settings:
    return {section: {**base.get(section, {}), **extra.get(section, {})} for section in {**base, **extra}}


def environment() -> dict[str, str]:
    """The caller's environment without what would reach into a daemon, and with this tree first on the path."""
    foreign = ('OS_', 'GLANCE_', 'LISTEN_', 'NOTIFY_SOCKET', 'http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY')
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, 'PYTHONPATH': str(ROOT), 'PYTHONUNBUFFERED': '1'}
