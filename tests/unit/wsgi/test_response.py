import os
import socket
import tempfile
import threading
import unittest
from unittest import mock

from glance.cache.filling import EntryReader
from glance.store.drivers.files import FileReader
from glance.transfer.body import ReaderBody
from glance.wsgi.connection import Connection
from glance.wsgi.response import Outcome, Response

DATA = os.urandom(300_000)


class SendFileTest(unittest.TestCase):
    """A body that the kernel sends from a file that holds too little, or cannot be read."""

    def setUp(self):
        super().setUp()
        ours, self.client = socket.socketpair()
        self.connection = Connection(ours, ('', ''), 5)
        self.addCleanup(self.connection.close)
        self.addCleanup(self.client.close)
        self.received = bytearray()
        self.reading = threading.Thread(target=self.receive)
        self.reading.start()

    def receive(self):
        while piece := self.client.recv(65536):
            self.received += piece

    def file(self, content: bytes) -> FileReader:
        file = self.enterContext(tempfile.TemporaryFile())
        file.write(content)
        file.flush()
        return FileReader(os.dup(file.fileno()), 100, len(DATA) - 100)

    def serve(self, reader) -> Outcome:
        body = ReaderBody(reader)

        def application(environ, start_response):
            start_response('200 OK', [('Content-Length', str(reader.length))])
            return body
        outcome = Response(self.connection, 'GET', 'HTTP/1.1', None, lambda: True).serve(application, {'PATH_INFO': '/'})
        self.connection.socket.shutdown(socket.SHUT_WR)
        self.reading.join(30)
        return outcome

    def rest(self, offset: int) -> FileReader:
        self.opened.append(offset)
        file = self.enterContext(tempfile.TemporaryFile())
        file.write(DATA)
        file.flush()
        return FileReader(os.dup(file.fileno()), offset, len(DATA) - offset)

    def check_goes_on(self, file: FileReader, offset: int) -> None:
        self.opened, failures = [], []
        outcome = self.serve(EntryReader(file, self.rest, lambda: failures.append(1)))
        self.assertEqual(Outcome.KEEP, outcome)
        self.assertEqual(DATA[100:], bytes(self.received).partition(b'\r\n\r\n')[2])
        self.assertEqual(([offset], [1]), (self.opened, failures))

    def test_a_short_entry_of_the_cache_goes_on_with_the_store(self):
        self.check_goes_on(self.file(DATA[:1000]), 1000)

    def test_an_entry_that_the_disk_does_not_give_back_goes_on_with_the_store(self):
        with mock.patch('os.sendfile', side_effect=OSError(5, 'Input/output error')):
            self.check_goes_on(self.file(DATA), 100)

    def test_a_short_object_of_a_store_ends_the_connection(self):
        self.assertEqual(Outcome.ABORT, self.serve(self.file(DATA[:1000])))
