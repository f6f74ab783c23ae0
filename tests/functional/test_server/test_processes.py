import contextlib
import os
import signal
import socket
import threading

import psutil

from tests.functional.test_server.running import (
    SECONDS,
    ServerTestCase,
    assert_soon,
    in_background,
    read_all,
    read_response,
)


class Load:
    """Clients that send requests all the time, half of them over kept connections; ``failures`` must stay empty."""

    def __init__(self, server, clients: int = 6):
        self.failures: list = []
        self.done = 0
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(server, bool(number % 2)), daemon=True)
                         for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def wait_for_more(self, count: int = 50) -> None:
        target = self.done + count
        assert_soon(lambda: self.done >= target or self.failures)

    def _run(self, server, keep: bool):
        client = server.client()
        while not self._stopped.is_set():
            try:
                client.request('GET', '/')
                response = client.getresponse()
                if response.status != 200 or not response.read():
                    self.failures.append(response.status)
                self.done += 1
            except Exception as error:
                self.failures.append(error)
            if not keep:
                client.close()
        client.close()


class WorkerTest(ServerTestCase):

    def test_forks_as_many_as_asked_for(self):
        server = self.start(workers=3)
        self.assertEqual(3, len(server.children()))

    def test_killed_worker_is_replaced(self):
        server = self.start(workers=1)
        first = int(server.get('/pid')[1])
        os.kill(first, signal.SIGKILL)
        self.assertNotEqual(first, int(server.get('/pid')[1]))
        self.assertIn('Worker %d ended with signal 9' % first, server.log)

    def test_worker_stopped_by_the_operator_is_replaced(self):
        server = self.start(workers=1)
        first = int(server.get('/pid')[1])
        os.kill(first, signal.SIGTERM)
        assert_soon(lambda: not psutil.pid_exists(first))
        self.assertNotEqual(first, int(server.get('/pid')[1]))

    def test_workers_end_with_their_parent(self):
        server = self.start(workers=2)
        children = server.children()
        server.signal(signal.SIGKILL)
        server.wait()
        self.assertEqual([], psutil.wait_procs(children, SECONDS)[1])

    def test_workers_ignore_an_interrupt_of_their_own(self):
        server = self.start(workers=1)
        pid = int(server.get('/pid')[1])
        os.kill(pid, signal.SIGINT)
        self.assertEqual(pid, int(server.get('/pid')[1]))

    def test_worker_that_cannot_start_is_tried_again_and_again(self):
        server = self.start(wait=False, workers=1, crash=True)
        assert_soon(lambda: server.log.count('ended with status 3') == 3)
        server.write_options(crash=False)
        server.signal(signal.SIGTERM)
        self.assertEqual(0, server.wait())

    def test_report_of_parent_and_workers(self):
        server = self.start(workers=2)
        server.signal(signal.SIGUSR2)
        for pid in [server.process.pid, *(child.pid for child in server.children())]:
            assert_soon(lambda pid=pid: 'report of %d ' % pid in server.log)

    def test_watchdog(self):
        server = self.start(workers=1, environment={'WATCHDOG_USEC': '100000'})
        for _ in range(3):
            self.assertIn('WATCHDOG=1', server.wait_for('WATCHDOG=1'))

    def test_watchdog_of_a_single_process(self):
        server = self.start(workers=0, environment={'WATCHDOG_USEC': '100000'})
        for _ in range(3):
            self.assertIn('WATCHDOG=1', server.wait_for('WATCHDOG=1'))

    def test_socket_from_systemd(self):
        for workers in (0, 1):
            self.assertEqual(200, self.start(workers=workers, systemd_activation=True).get()[0])


class BindTest(ServerTestCase):

    def free_port(self) -> int:
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            return sock.getsockname()[1]

    def test_address_in_use(self):
        with socket.create_server(('127.0.0.1', 0)) as other:
            port = other.getsockname()[1]
            server = self.start(wait=False, workers=1, bind_port=port, bind_retry=0.3)
            self.assertEqual(1, server.wait())
            self.assertRegex(server.log, 'ERROR: Cannot listen on 127.0.0.1 port %d .*in use' % port)

    def test_address_that_becomes_free(self):
        with socket.create_server(('127.0.0.1', 0)) as other:
            server = self.start(wait=False, bind_port=other.getsockname()[1], bind_retry=SECONDS)
            other.close()
            server.wait_for('READY=1')
        self.assertEqual(200, server.get()[0])

    def test_new_address_after_reload(self):
        for workers in (0, 1):
            server = self.start(workers=workers, bind_port=self.free_port())
            former, server.port = server.port, self.free_port()
            server.reload(bind_port=server.port)
            self.assertEqual(200, server.get()[0])
            server.port = former
            assert_soon(lambda server=server: _refuses(server))

    def test_new_address_that_is_taken(self):
        server = self.start(workers=1, bind_port=self.free_port())
        with socket.create_server(('127.0.0.1', 0)) as other:
            server.reload(bind_port=other.getsockname()[1])
            self.assertEqual(200, server.get()[0])
        self.assertIn('the former values stay', server.log)


class ReloadTest(ServerTestCase):

    def test_no_request_fails(self):
        for workers in (0, 2):
            server = self.start(workers=workers)
            with Load(server) as load:
                for number in range(5):
                    load.wait_for_more()
                    server.reload(greeting='hello %d' % number)
                load.wait_for_more()
            self.assertEqual([], load.failures)
            assert_soon(lambda server=server: server.get()[1] == b'hello 4')

    def test_old_worker_finishes_its_request(self):
        server = self.start(workers=1)
        fifo = server.fifo()
        reply = in_background(server.get, '/hold?fifo=' + fifo)
        with open(fifo, 'wb'):  # returns when the request runs
            old = server.children()
            server.reload(greeting='new')
            assert_soon(lambda: server.get()[1] == b'new')
            self.assertTrue(old[0].is_running())
        self.assertEqual(b'held', reply.get(timeout=SECONDS)[1])
        self.assertEqual([], psutil.wait_procs(old, SECONDS)[1])
        self.assertIn('application closed', server.log)

    def test_number_of_workers(self):
        server = self.start(workers=1)
        server.reload(workers=3)
        assert_soon(lambda: len(server.children()) == 3)

    def test_configuration_that_cannot_be_read(self):
        for workers in (0, 1):
            server = self.start(workers=workers)
            before = server.get('/pid')[1]
            (server.folder / 'settings').write_text('{')
            server.signal(signal.SIGHUP)
            server.wait_for('RELOADING=1')
            server.wait_for('READY=1')
            self.assertEqual((before, b'hello'), (server.get('/pid')[1], server.get()[1]))
            self.assertIn('not read', server.log)

    def test_application_that_cannot_be_loaded(self):
        for workers in (0, 1):
            server = self.start(workers=workers)
            server.reload(broken=True)
            self.assertEqual(200, server.get()[0])
            server.reload(broken=False, greeting='repaired')
            assert_soon(lambda server=server: server.get()[1] == b'repaired')

    def test_reload_in_place_keeps_running_requests_on_the_old_application(self):
        server = self.start(workers=0)
        fifo = server.fifo()
        reply = in_background(server.get, '/hold?fifo=' + fifo)
        with open(fifo, 'wb'):
            server.reload(greeting='new')
            self.assertNotIn('application closed', server.log)
            self.assertEqual(b'new', server.get()[1])
        self.assertEqual(b'held', reply.get(timeout=SECONDS)[1])
        assert_soon(lambda: 'application closed' in server.log)


class StopTest(ServerTestCase):

    def test_terminate_finishes_a_running_request(self):
        for workers in (0, 1):
            server = self.start(workers=workers)
            fifo = server.fifo()
            reply = in_background(server.get, '/hold?fifo=' + fifo)
            with open(fifo, 'wb'):
                server.signal(signal.SIGTERM)
                server.wait_for('STOPPING=1')
                assert_soon(lambda server=server: _refuses(server))
                self.assertIsNone(server.process.poll())
            status, body, headers = reply.get(timeout=SECONDS)
            self.assertEqual((200, b'held', 'close'), (status, body, headers['Connection']))
            self.assertEqual(0, server.wait())
            self.assertIn('application closed', server.log)

    def test_connections_that_nobody_has_accepted_yet_are_served(self):
        server = self.start(workers=1)
        worker = server.children()[0]
        worker.suspend()
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(server.connect()) for _ in range(20)]
            for sock in socks:
                sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            server.signal(signal.SIGTERM)
            server.wait_for('STOPPING=1')
            worker.resume()
            for sock in socks:
                self.assertRegex(read_response(sock), b'^HTTP/1.1 200 ')
        self.assertEqual(0, server.wait())

    def test_request_on_a_kept_connection_is_answered_while_draining(self):
        server = self.start(workers=1)
        fifo = server.fifo()
        with server.connect() as sock:
            sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            read_response(sock)
            in_background(server.get, '/hold?fifo=' + fifo)
            with open(fifo, 'wb'):
                server.signal(signal.SIGTERM)
                server.wait_for('STOPPING=1')
                sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
                self.assertRegex(read_response(sock), b'^HTTP/1.1 200 ')
        self.assertEqual(0, server.wait())

    def test_a_request_knows_whether_the_service_ends(self):
        for workers in (0, 1):
            with self.subTest(workers=workers):
                server = self.start(workers=workers)
                with server.connect() as begun, server.connect() as idle:
                    for sock in (begun, idle):
                        sock.sendall(b'GET /ending HTTP/1.1\r\nHost: a\r\n\r\n')
                        self.assertTrue(read_response(sock).endswith(b'no'))
                    begun.sendall(b'GET /ending HTTP/1.1\r\n')
                    server.reload()
                    if workers:
                        # The former worker, whose connection this is, has others to go on for it.
                        self.assertEqual(b'', read_all(idle))
                    begun.sendall(b'Host: a\r\n\r\n')
                    self.assertTrue(read_response(begun).endswith(b'no'))
                with server.connect() as begun:
                    begun.sendall(b'GET /ending HTTP/1.1\r\n')
                    server.signal(signal.SIGTERM)
                    assert_soon(lambda server=server: _refuses(server))
                    begun.sendall(b'Host: a\r\n\r\n')
                    self.assertTrue(read_response(begun).endswith(b'yes'))
                self.assertEqual(0, server.wait())

    def test_after_the_time_the_request_is_cut_off(self):
        for workers in (0, 1):
            server = self.start(workers=workers, graceful_shutdown_timeout=1)
            note = server.folder / 'note'
            with server.connect() as sock:
                sock.sendall(b'PUT /consume?note=%s HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n'
                             % str(note).encode())
                self.assertEqual(200, server.get()[0])
                server.signal(signal.SIGTERM)
                self.assertEqual(0, server.wait())
            self.assertEqual('ClientDisconnected', note.read_text())

    def test_second_signal_stops_at_once(self):
        for workers, second in ((0, signal.SIGTERM), (1, signal.SIGTERM), (1, signal.SIGINT)):
            server = self.start(workers=workers, graceful_shutdown_timeout=SECONDS * 10)
            note = server.folder / 'note'
            with server.connect() as sock:
                sock.sendall(b'GET /endless?note=%s HTTP/1.1\r\nHost: a\r\n\r\n' % str(note).encode())
                sock.recv(10)
                server.signal(signal.SIGTERM)
                server.wait_for('STOPPING=1')
                self.assertIsNone(server.process.poll())
                server.signal(second)
                self.assertEqual(0, server.wait())
            self.assertTrue(note.exists())

    def test_hung_request_is_killed_in_the_end(self):
        server = self.start(workers=1, graceful_shutdown_timeout=0)
        fifo = server.fifo()
        in_background(server.get, '/hold?fifo=' + fifo)
        with open(fifo, 'wb'):
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.wait())

    def test_interrupt_and_zero_timeout_stop_at_once(self):
        for number, timeout in ((signal.SIGINT, SECONDS * 10), (signal.SIGTERM, 0)):
            server = self.start(workers=1, graceful_shutdown_timeout=timeout)
            with server.connect() as sock:
                sock.sendall(b'PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n')
                self.assertEqual(200, server.get()[0])
                server.signal(number)
                self.assertEqual(0, server.wait())

    def test_idle_connections_do_not_hold_it_up(self):
        server = self.start(workers=1, graceful_shutdown_timeout=SECONDS * 10)
        with server.connect() as kept, server.connect():
            kept.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            read_response(kept)
            server.signal(signal.SIGTERM)
            self.assertEqual(b'', read_all(kept))
            self.assertEqual(0, server.wait())


class SlowClientsTest(ServerTestCase):

    def test_500_slow_heads_and_100_stalled_uploads(self):
        server = self.start(workers=1)
        with contextlib.ExitStack() as stack:
            for number in range(600):
                sock = stack.enter_context(server.connect())
                sock.sendall(b'GET / HTTP/1.1\r\nHo' if number < 500 else
                             b'PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n'
                             % (100 if number < 550 else 10**6))
            worker = server.children()[0]
            for _ in range(50):
                self.assertEqual(200, server.get()[0])
            self.assertLess(worker.num_threads(), 100)  # none for a head or for a small body
        self.assertEqual(200, server.get()[0])

    def test_above_the_limit_connections_wait(self):
        server = self.start(workers=1, max_connections=2)
        with server.connect() as first, server.connect() as second:
            for sock in (first, second):
                sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
                read_response(sock)
            reply = in_background(server.get)
            first.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            read_response(first)
            self.assertTrue(reply.empty())
            second.close()
            self.assertEqual(200, reply.get(timeout=SECONDS)[0])

    def test_too_few_descriptors_pause_the_accepting(self):
        server = self.start(workers=1)
        worker = server.children()[0]
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 3, 4096))
        socks = [server.connect() for _ in range(6)]
        assert_soon(lambda: 'No connection can be accepted' in server.log)
        for sock in socks:
            sock.close()
        self.assertEqual(200, server.get()[0])
        self.assertEqual(worker.pid, server.children()[0].pid)


def _refuses(server) -> bool:
    try:
        server.connect().close()
        return False
    except ConnectionError:
        return True
