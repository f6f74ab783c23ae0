"""The connection of a process to a debugger that speaks the protocol of PyDev, as several editors do."""

from oslo_config import cfg

from glance.exceptions import ConfigurationError


def attach(conf: cfg.ConfigOpts) -> None:
    """Connect to the debugger that ``pydev_worker_debug_host`` names, and wait until it lets the process go on.

    :raises ConfigurationError: the library is missing, or nobody listens there
    """
    host, port = conf.pydev_worker_debug_host, conf.pydev_worker_debug_port
    if not host:
        return
    try:
        import pydevd  # costs memory and time, for the few that debug
        pydevd.settrace(host, port=port, stdout_to_server=True, stderr_to_server=True, suspend=False)
    except ImportError:
        raise ConfigurationError('[DEFAULT] pydev_worker_debug_host = %s needs the library pydevd; install it, or unset '
                                 'the option.' % host) from None
    except OSError as error:
        raise ConfigurationError('No debugger accepts a connection at [DEFAULT] pydev_worker_debug_host = %s, '
                                 'pydev_worker_debug_port = %d: %s.' % (host, port, error.strerror or error)) from None
