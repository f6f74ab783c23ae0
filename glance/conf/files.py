"""Where configuration files are: the defaults of each program, files named in options, the paste file."""

import os
from collections.abc import Sequence

from oslo_config import cfg

from glance.exceptions import ConfigurationError

PROJECT = 'glance'

# Base names of the files each program reads when the command line names none; later ones win. glance.conf comes first.
_PROGRAM_FILES = {
    'glance-api': ('glance-image-import', 'glance-api'),
    'glance-manage': ('glance-registry', 'glance-api', 'glance-manage'),
    'glance-cache-cleaner': ('glance-api', 'glance-cache'),
    'glance-cache-pruner': ('glance-api', 'glance-cache'),
    'glance-cache-prefetcher': ('glance-api', 'glance-cache'),
    'glance-status': ('glance-api', 'glance-status'),
}
_PROGRAMS_WITHOUT_FILES = ('glance-cache-manage',)
_PACKAGED_DIRECTORY = '/etc/glance'


def default_files(prog: str) -> list[str]:
    """The configuration files that the program reads when the command line names none, weakest first.

    Each base name is taken from the first of ``~/.glance``, ``~``, ``/etc/glance``, ``/etc`` and the directories of a
    snap that has it.
    """
    return _find_each(prog, cfg.find_config_files)


def default_directories(prog: str) -> list[str]:
    """The ``*.conf.d`` directories that belong to ``default_files``."""
    return _find_each(prog, cfg.find_config_dirs)


def _find_each(prog: str, find) -> list[str]:
    if prog in _PROGRAMS_WITHOUT_FILES:
        return []
    found: dict[str, None] = {}
    for name in _PROGRAM_FILES.get(prog, (prog,)):
        found.update(dict.fromkeys(find(PROJECT, name)))
    return list(found)


def wsgi_files(environ=os.environ) -> list[str]:
    """The configuration files of the API under a foreign WSGI container, weakest first.

    ``OS_GLANCE_CONFIG_DIR`` names their directory, ``/etc/glance`` by default. ``glance-api.conf`` is listed even if it
    does not exist: reading it then fails with a clear message.
    """
    directory = environ.get('OS_GLANCE_CONFIG_DIR', '').strip() or _PACKAGED_DIRECTORY
    imports = os.path.join(directory, 'glance-image-import.conf')
    return [imports] * os.path.exists(imports) + [os.path.join(directory, 'glance-api.conf')]


def files_read(conf: cfg.ConfigOpts) -> list[str]:
    """The files that ``conf`` was read from, weakest first."""
    return files_of(conf.config_file or (), conf.config_dir or ())


def files_of(files: Sequence[str], directories: Sequence[str]) -> list[str]:
    """The files themselves, then those in the directories."""
    paths = list(files)
    for directory in directories:
        if os.path.isdir(directory):
            paths.extend(sorted(os.path.join(directory, name) for name in os.listdir(directory)
                                if name.endswith('.conf')))
    return paths


def is_set(conf: cfg.ConfigOpts, name: str, group: str | None = None) -> bool:
    """Whether a file, the environment or the command line sets the option, as opposed to its default."""
    location = conf.get_location(name, group)
    return location is not None and location.location.is_user_controlled


def find_file(name: str, conf: cfg.ConfigOpts = cfg.CONF) -> str | None:
    """Absolute path of a file named in an option, or None when it is nowhere.

    A relative name is searched in the configuration directories, next to the configuration files, then where
    configuration files are searched.
    """
    return conf.find_file(os.path.expanduser(name))


def find_paste_file(conf: cfg.ConfigOpts, prog: str) -> str:
    """Absolute path of the paste file of the program.

    ``[paste_deploy] config_file`` as it is given; else the name of the last configuration file with ``-paste.ini`` in
    place of ``.conf``, else that of the program, searched like ``find_file``. Raises ConfigurationError when there is
    no such file.
    """
    named = conf.paste_deploy.config_file
    if named:
        path = os.path.abspath(named)
        if not os.path.exists(path):
            raise ConfigurationError('%s: the file %s that [paste_deploy] config_file names does not exist.'
                                     % (prog, path))
        return path
    candidates = [os.path.splitext(os.path.basename(path))[0] for path in reversed(conf.config_file or ())][:1] + [prog]
    names = ['%s-paste.ini' % stem for stem in dict.fromkeys(candidates)]
    for name in names:
        path = find_file(name, conf)
        if path:
            return os.path.abspath(path)
    raise ConfigurationError('%s: no paste file %s was found next to the configuration files or in /etc/glance; set '
                             '[paste_deploy] config_file.' % (prog, ' or '.join(names)))
