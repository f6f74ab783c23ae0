"""Every option of the project: one module per configuration section, and the way files and command line are read.

May import glance.exceptions and the Oslo libraries, nothing else of the project; libraries that cost memory or time are
imported only when their options are asked for. Must not know what the options are used for: nothing here opens a store,
a database or a socket.
"""

from oslo_config import cfg

from glance.conf.errors import InvalidOptionValue
from glance.conf.files import default_files, find_file, find_paste_file, wsgi_files
from glance.conf.loading import load, parse, reload, set_up_logging, version
from glance.conf.sections import list_opts, register
from glance.conf.validation import require_database, validate

__all__ = (
    'CONF',
    'InvalidOptionValue',
    'default_files',
    'find_file',
    'find_paste_file',
    'list_opts',
    'load',
    'parse',
    'register',
    'reload',
    'require_database',
    'set_up_logging',
    'validate',
    'version',
    'wsgi_files',
)

CONF = cfg.CONF
