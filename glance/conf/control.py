"""The command line of glance-control, and ``[DEFAULT]`` of ``glance-control.conf``."""

from oslo_config import cfg


def cli_options(servers: tuple[str, ...], commands: tuple[str, ...]) -> list[cfg.Opt]:
    """The options and positional arguments, with the words that may stand for servers and commands."""
    return [
        cfg.StrOpt(
            'server', positional=True, required=True,
            help='Which server: %s.' % ', '.join(servers)),
        cfg.StrOpt(
            'command', positional=True, required=True,
            help='What to do: %s. "stop" ends running requests after 15 seconds, "shutdown" lets them finish.'
                 % ', '.join(commands)),
        cfg.StrOpt(
            'confpath', positional=True, required=False,
            help='Configuration file for the server, in place of those that it finds by itself.'),
        cfg.StrOpt(
            'pid-file', metavar='PATH',
            help='Where the number of the process is kept; /var/run/glance/SERVER.pid by default. Not with "all".'),
        cfg.FloatOpt(
            'await-child', min=0, default=0, metavar='SECONDS',
            help='Wait this long and exit with the code of the server if it ends in that time.'),
        cfg.BoolOpt(
            'capture-output', default=False,
            help='Send what the server prints to syslog instead of nowhere.'),
        cfg.BoolOpt(
            'respawn', default=False,
            help='Stay in the foreground and start the server again when it ends by itself.'),
    ]
