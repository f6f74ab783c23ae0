"""Run the commands in a Markdown page and write down what they answered.

    python tools/transcribe.py docs/quickstart.md

Fenced blocks are taken in order; what follows a command in the page is replaced by what it prints now:

    ```console          each line that begins with "$ ": run in one shell that lasts for the whole page;
                        "(name)$ " is the prompt of another such shell, one for each name
    ```console server   one command that keeps running until the next server, or the end; recorded until it listens on
                        port 9292 and is quiet
    ```sh               run in the shell without a name; what it prints is not recorded

The folder of the sources is written as ~/glance, so that no page shows where it was made.
"""

import collections
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPT = re.compile(r'(?:\((?P<shell>\w+)\))?\$ (?P<command>.*)')
BLOCK = re.compile(r'^```(?P<kind>console server|console|sh)\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL)
QUIET_SECONDS = 5
END = '-- end of answer --'
NOISE = re.compile(r'^WARNING: .*\n', re.MULTILINE)  # of pip and of the clients' libraries


class Shell:
    """A bash that keeps its variables from command to command."""

    def __init__(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith('OS_')}
        environment |= {'CLIFF_MAX_TERM_WIDTH': '100', 'PYTHONWARNINGS': 'ignore', 'NO_PROXY': '127.0.0.1'}
        self.process = subprocess.Popen(['bash'], cwd=ROOT, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)

    def run(self, command: str) -> str:
        self.process.stdin.write(f'{command}\necho "{END}"\n')
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.endswith(END + '\n'):
                return ''.join(lines) + line.removesuffix(END + '\n')
            lines.append(line)
        raise SystemExit(f'the shell ended at: {command}')

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Server:
    """The command that is running in "the first terminal"."""

    def __init__(self):
        self.process: subprocess.Popen | None = None

    def start(self, command: str) -> str:
        self.stop()
        self.process = subprocess.Popen(['bash', '-c', f'exec {command}'], cwd=ROOT, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        printed, quiet_since = b'', time.monotonic()
        while time.monotonic() - quiet_since < QUIET_SECONDS or not listening():
            if chunk := self.process.stdout.read():
                printed, quiet_since = printed + chunk, time.monotonic()
            if self.process.poll() is not None:
                raise SystemExit(f'{command} ended: {printed.decode()}')
            time.sleep(0.1)
        return printed.decode()

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None


def listening() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', 9292)) == 0


def answer(kind: str, body: str, shells: dict[str | None, Shell], server: Server) -> str:
    """Run a block; the block with its answers."""
    if kind == 'sh':
        shells[None].run(body)
        return body
    recorded = ''
    for line in body.splitlines():
        if prompt := PROMPT.match(line):
            print(line, flush=True)
            command = prompt['command']
            printed = server.start(command) if kind.endswith('server') else shells[prompt['shell']].run(command)
            recorded += f'{line}\n{tidy(printed)}'
    return recorded


def tidy(printed: str) -> str:
    printed = NOISE.sub('', printed.replace(str(ROOT), '~/glance').replace(sys.executable, 'python3'))
    lines = [line.split('\r')[-1].rstrip() for line in printed.splitlines()]  # of a progress bar the last state
    return ''.join(f'{line}\n' for line in lines).lstrip('\n')


def main() -> None:
    page = pathlib.Path(sys.argv[1])
    shells, server = collections.defaultdict(Shell), Server()
    try:
        text = BLOCK.sub(lambda block: f'```{block["kind"]}\n{answer(*block.groups(), shells, server)}```',
                         page.read_text())
    finally:
        server.stop()
        for shell in shells.values():
            shell.close()
    page.write_text(text)


if __name__ == '__main__':
    main()
