"""Exports of NFS on which volumes are files: mounted once on a host, however many processes use volumes on them."""
import hashlib
import json
import logging
import os
import subprocess
from typing import Any

from oslo_concurrency import lockutils

LOG = logging.getLogger(__name__)

_TRIES = 3
_LOCK_PREFIX = 'glance-cinder-'


class Exports:
    """The mounted exports of this host.

    Who uses an export is noted in ``_state/mount_state_<digest>.json``; processes that have died do not count.

    :param base: the folder below which exports are mounted
    :param root_helper: the command with which others are run as root
    :param lock_path: the folder of the locks that processes of this host share
    """

    def __init__(self, base: str, root_helper: list[str], lock_path: str):
        self._base, self._root_helper, self._lock_path = base, root_helper, lock_path

    def use(self, export: str, options: str | None, user: str) -> str:
        """Mount an export unless it is; return the folder. ``user`` is a name for what is done with it.

        :raises subprocess.CalledProcessError: when it cannot be mounted
        """
        folder = self._folder(export)
        with self._locked(export):
            users = self._users(export)
            os.makedirs(folder, exist_ok=True)
            if not os.path.ismount(folder):
                flags = ['-o', options.removeprefix('-o').strip()] if options else []
                self._run('mount', '-t', 'nfs', *flags, export, folder)
            users[user] = [os.getpid(), _birth(os.getpid())]
            self._note(export, users)
        return folder

    def leave(self, export: str, user: str) -> None:
        """Say that this use has ended; who leaves last unmounts. Errors of that are only logged."""
        folder = self._folder(export)
        with self._locked(export):
            users = self._users(export)
            users.pop(user, None)
            self._note(export, users)
            if users or not os.path.ismount(folder):
                return
            for _ in range(_TRIES):
                try:
                    self._run('umount', folder)
                    os.rmdir(folder)
                    os.unlink(self._state(export))
                    return
                except (subprocess.CalledProcessError, OSError) as error:
                    LOG.warning('%s cannot be unmounted: %s', folder, error)

    def _run(self, *command: str) -> None:
        subprocess.run([*self._root_helper, *command], check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def _locked(self, export: str) -> Any:
        return lockutils.lock(_digest(export), _LOCK_PREFIX, external=True, lock_path=self._lock_path)

    def _folder(self, export: str) -> str:
        return os.path.join(self._base, 'nfs', _digest(export))

    def _state(self, export: str) -> str:
        return os.path.join(self._base, '_state', 'mount_state_%s.json' % _digest(export))

    def _users(self, export: str) -> dict[str, list]:
        """The uses of an export by processes that live, each with the process and its time of birth."""
        try:
            with open(self._state(export)) as file:
                users = json.load(file)['users']
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError):
            LOG.warning('%s cannot be read; it is written anew.', self._state(export))
            return {}
        return {user: process for user, process in users.items() if _birth(process[0]) == process[1]}

    def _note(self, export: str, users: dict[str, list]) -> None:
        path = self._state(export)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + '.new', 'w') as file:
            json.dump({'export': export, 'users': users}, file)
        os.replace(path + '.new', path)


def _digest(export: str) -> str:
    return hashlib.sha256(export.encode()).hexdigest()


def _birth(process: int) -> int | None:
    """When a process was started, in ticks since this host was; None when there is none of this id."""
    try:
        with open('/proc/%d/stat' % process) as file:
            return int(file.read().rpartition(')')[2].split()[19])
    except OSError:
        return None
