"""A MariaDB server of a test's own, which the test may stop."""

import pathlib
import shutil
import socket
import subprocess
import time

import sqlalchemy

_SECONDS = 60
_PATH = '/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin'


class PrivateMariaDB:
    """Runs on a port of its own with one empty database; leave the context to stop it.

    :param folder: an empty one, for its files
    :param options: further ones for its command line
    """

    def __init__(self, folder: pathlib.Path, *options: str):
        self._folder, self._options = folder, options
        self._process: subprocess.Popen | None = None
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            self._port = sock.getsockname()[1]
        self.url = f'mysql+pymysql://root@127.0.0.1:{self._port}/glance'
        install = shutil.which('mariadb-install-db', path=_PATH)
        subprocess.run([install, '--no-defaults', f'--datadir={folder}/data', '--auth-root-authentication-method=normal',
                        '--skip-test-db', '--skip-name-resolve', '--user=root'], stdout=subprocess.DEVNULL, check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=_SECONDS)

    def __enter__(self) -> 'PrivateMariaDB':
        self.start()
        engine = sqlalchemy.create_engine(sqlalchemy.make_url(self.url).set(database=''), poolclass=sqlalchemy.pool.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql('CREATE DATABASE glance')
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        """Return when it takes connections."""
        program = shutil.which('mariadbd', path=_PATH)
        with (self._folder / 'log').open('ab') as log:
            self._process = subprocess.Popen(
                [program, '--no-defaults', f'--datadir={self._folder}/data', f'--socket={self._folder}/socket',
                 f'--port={self._port}', '--bind-address=127.0.0.1', '--user=root', f'--pid-file={self._folder}/pid',
                 '--innodb-buffer-pool-size=32M', '--skip-name-resolve', *self._options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                socket.create_connection(('127.0.0.1', self._port), _SECONDS).close()
                return
            except ConnectionRefusedError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError('mariadbd does not start: %s' % (self._folder / 'log').read_text()) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Shut it down in order; what was committed is there after the next start."""
        self._process.terminate()
        self._process.wait(_SECONDS)

    def drop(self) -> None:
        """Nothing: the folder goes with its owner."""
