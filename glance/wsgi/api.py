"""The image API for WSGI containers: ``glance.wsgi.api:application`` is built when the module is imported.

The configuration is ``glance-api.conf`` in the folder that ``OS_GLANCE_CONFIG_DIR`` names (default ``/etc/glance``),
after ``glance-image-import.conf`` beside it, where there is one.
"""
import atexit
import os

from glance import conf, exceptions
from glance.wsgi.application import load


def _config_files() -> list[str]:
    folder = os.environ.get('OS_GLANCE_CONFIG_DIR', '/etc/glance').strip()
    main = os.path.join(folder, 'glance-api.conf')
    if not os.path.isfile(main):
        raise exceptions.ConfigurationError('There is no glance-api.conf in %s; set OS_GLANCE_CONFIG_DIR to its folder.'
                                            % folder)
    imports = os.path.join(folder, 'glance-image-import.conf')
    return [path for path in (imports, main) if os.path.isfile(path)]


conf.load([], prog='glance-api', default_config_files=_config_files())
application = load(conf.CONF)
atexit.register(application.close)
