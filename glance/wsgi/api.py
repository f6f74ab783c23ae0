"""The image API for WSGI containers: ``glance.wsgi.api:application`` is built when the module is imported.

The configuration is ``glance-api.conf`` in the folder that ``OS_GLANCE_CONFIG_DIR`` names (default ``/etc/glance``),
after ``glance-image-import.conf`` beside it, where there is one.
"""
import atexit
import os

from glance import conf
from glance.wsgi.application import load
from glance.wsgi.chunked import under_uwsgi

conf.load([], prog='glance-api', default_config_files=conf.wsgi_files(os.environ))
_application = load(conf.CONF)
atexit.register(_application.close)
application = under_uwsgi(_application)
