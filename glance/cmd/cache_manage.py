"""``glance-cache-manage``: lists and changes what is in the cache of an API node, through its classic routes.

It reads no configuration file, only the command line and the environment. Exit codes: 0 done, or the answer was no; 1 the
server refused or could not be reached, an argument or the command is wrong; 2 wrong command line.
"""
import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

from glance import conf
from glance.cache.layout import is_image_id
from glance.cmd import cache_tables
from glance.cmd.cache_client import Failure, connect

PROG = 'glance-cache-manage'


class _Parser(argparse.ArgumentParser):
    def format_help(self) -> str:
        return super().format_help() + '\n' + _command_list()


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. ``args`` is the command line without the program's name."""
    parser = _parser()
    options = parser.parse_intermixed_args(sys.argv[1:] if args is None else list(args))
    if not options.command:
        parser.print_help(sys.stderr)
        return 2
    began = time.monotonic()
    try:
        _run(options, parser)
    except Failure as failure:
        if options.debug:
            raise
        print(failure)
        return 1
    except Exception as error:
        if options.debug:
            raise
        print('%s failed: %s: %s' % (PROG, type(error).__name__, ' '.join(str(error).split())))
        return 1
    if options.verbose:
        print('Completed in %.4f seconds' % (time.monotonic() - began))
    return 0


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if options.command == 'help':
        _help(options.arguments, parser)
        return
    if options.command not in COMMANDS:
        raise Failure('There is no command %r.\n\n%s' % (options.command, _command_list()))
    run, argument = COMMANDS[options.command]
    if len(options.arguments) != bool(argument):
        raise Failure('%s\nusage: %s' % ('Please name the image.' if len(options.arguments) < bool(argument)
                                         else 'Too many arguments.', _usage(options.command)))
    image_ids = [image_id.lower() for image_id in options.arguments]
    for image_id in image_ids:
        if not is_image_id(image_id):
            raise Failure('%r is not the id of an image, which is a UUID.' % image_id)
    run(options, *image_ids)


# The commands. Their docstrings are the help that operators read.

def list_cached(options: argparse.Namespace) -> None:
    """List the images that are in the cache."""
    _list(options, 'cached', cache_tables.cached)


def list_queued(options: argparse.Namespace) -> None:
    """List the images that are queued for the cache."""
    _list(options, 'queued', cache_tables.queued)


def queue_image(options: argparse.Namespace, image_id: str) -> None:
    """Have an image fetched into the cache."""
    _confirmed(options, 'Queue image %s for caching?' % image_id, 'Queued image %s for caching' % image_id,
               lambda: connect(options).put('queued_images', image_id))


def delete_cached_image(options: argparse.Namespace, image_id: str) -> None:
    """Remove an image from the cache."""
    _confirmed(options, 'Delete cached image %s?' % image_id, 'Deleted cached image %s' % image_id,
               lambda: connect(options).delete('cached_images', image_id))


def delete_all_cached_images(options: argparse.Namespace) -> None:
    """Remove every image from the cache."""
    _confirmed(options, 'Delete all cached images?', 'Deleted %d cached images',
               lambda: connect(options).delete_all('cached_images'))


def delete_queued_image(options: argparse.Namespace, image_id: str) -> None:
    """Take an image off the queue."""
    _confirmed(options, 'Delete queued image %s?' % image_id, 'Deleted queued image %s' % image_id,
               lambda: connect(options).delete('queued_images', image_id))


def delete_all_queued_images(options: argparse.Namespace) -> None:
    """Empty the queue."""
    _confirmed(options, 'Delete all queued images?', 'Deleted %d queued images',
               lambda: connect(options).delete_all('queued_images'))


# What each is run by, and the argument that it needs.
COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    'list-cached': (list_cached, ''),
    'list-queued': (list_queued, ''),
    'queue-image': (queue_image, '<IMAGE_ID>'),
    'delete-cached-image': (delete_cached_image, '<IMAGE_ID>'),
    'delete-all-cached-images': (delete_all_cached_images, ''),
    'delete-queued-image': (delete_queued_image, '<IMAGE_ID>'),
    'delete-all-queued-images': (delete_all_queued_images, ''),
}


def _list(options: argparse.Namespace, which: str, table: Callable[[list], str]) -> None:
    images = connect(options).get('%s_images' % which)
    print('Found %d %s images...\n%s' % (len(images), which, table(images)) if images else 'No %s images.' % which)


def _confirmed(options: argparse.Namespace, question: str, done: str, work: Callable[[], int | None]) -> None:
    if not options.force and not _says_yes(question):
        return
    count = work()
    if options.verbose:
        print(done % count if count is not None else done)


def _says_yes(question: str) -> bool:
    """Ask; the end of the input is a no of who sits at a terminal, and a mistake of a script."""
    try:
        return input(question + ' [y/N] ').strip().lower() in ('y', 'yes')
    except EOFError:
        print()
        if sys.stdin.isatty():
            return False
        raise Failure('There is nobody to answer the question; use --force to go on without it.') from None


def _help(arguments: list[str], parser: argparse.ArgumentParser) -> None:
    if not arguments:
        parser.print_help()
        return
    if len(arguments) > 1 or arguments[0] not in COMMANDS:
        raise Failure('There is no command %r.\n\n%s' % (' '.join(arguments), _command_list()))
    print('usage: %s\n\n%s' % (_usage(arguments[0]), COMMANDS[arguments[0]][0].__doc__))


def _usage(command: str) -> str:
    return ' '.join(filter(None, (PROG, command, COMMANDS[command][1], '[options]')))


def _command_list() -> str:
    lines = ['commands:', '  %-26s %s' % ('help [command]', 'Show this help, or that of a command.')]
    lines += ['  %-26s %s' % (name, run.__doc__) for name, (run, _) in COMMANDS.items()]
    return '\n'.join(lines) + '\n'


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROG, usage='%s <command> [<IMAGE_ID>] [options]' % PROG, allow_abbrev=False,
                     description='Manage the image cache of an API node.')
    parser.add_argument('command', nargs='?', help=argparse.SUPPRESS)
    parser.add_argument('arguments', nargs='*', help=argparse.SUPPRESS)
    parser.add_argument('--version', action='version', version=conf.version())
    parser.add_argument('-v', '--verbose', action='store_true', help='say what was done, and how long it took')
    parser.add_argument('-d', '--debug', action='store_true', help='show where in the program an error happened')
    parser.add_argument('-f', '--force', action='store_true', help='ask no question')
    _add_server_options(parser)
    _add_identity_options(parser)
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('-H', '--host', metavar='ADDRESS', default='0.0.0.0', help='address of the API node, by default '
                                                                                    'this host')
    parser.add_argument('-p', '--port', type=int, default=9292, help='port of the API, by default 9292')
    parser.add_argument('--ssl', action='store_true', help='speak TLS to the API')
    parser.add_argument('--os-cacert', metavar='FILE', default=os.environ.get('OS_CACERT'),
                        help='certificates of the authorities to trust (OS_CACERT)')
    parser.add_argument('-k', '--insecure', action='store_true', help='do not verify certificates')


def _add_identity_options(parser: argparse.ArgumentParser) -> None:
    def add(name: str, *others: str, variables: Sequence[str] = (), default: str | None = None, text: str = '') -> None:
        value = next((os.environ[variable] for variable in variables if os.environ.get(variable)), default)
        destination = name.lstrip('-').replace('-', '_')
        parser.add_argument(name, dest=destination, default=value, metavar='VALUE',
                            help='%s (%s)' % (text, ', '.join(variables)) if text else argparse.SUPPRESS)
        if others:
            parser.add_argument(*others, dest=destination, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add('--os-auth-token', '-A', '--os_auth_token', '--auth_token', variables=('OS_AUTH_TOKEN', 'OS_TOKEN'),
        text='a token to use as it is')
    add('--os-username', '-I', '--os_username', variables=('OS_USERNAME',), text='name of the user')
    add('--os-password', '-K', '--os_password', variables=('OS_PASSWORD',), text='password of the user')
    add('--os-auth-url', '-N', '--os_auth_url', variables=('OS_AUTH_URL',), text='URL of Keystone')
    add('--os-region-name', '-R', '--os_region_name', variables=('OS_REGION_NAME',), text='accepted, without effect')
    add('--os-project-id', '--os_project_id', '--os-tenant-id', '--os_tenant_id',
        variables=('OS_PROJECT_ID', 'OS_TENANT_ID'), text='id of the project')
    add('--os-project-name', '-T', '--os_project_name', '--os-tenant-name', '--os_tenant_name',
        variables=('OS_PROJECT_NAME', 'OS_TENANT_NAME'), text='name of the project')
    add('--os-domain-id', variables=('OS_DOMAIN_ID',), default='default', text='domain of user and project')
    add('--os-user-domain-id', variables=('OS_USER_DOMAIN_ID',), text='domain of the user')
    add('--os-project-domain-id', variables=('OS_PROJECT_DOMAIN_ID',), text='domain of the project')
    parser.add_argument('-S', '--os-auth-strategy', '--os_auth_strategy', choices=('keystone', 'noauth'),
                        default=os.environ.get('OS_AUTH_STRATEGY', 'noauth'),
                        help='keystone or noauth; a URL of Keystone means keystone (OS_AUTH_STRATEGY)')


if __name__ == '__main__':
    sys.exit(main())
