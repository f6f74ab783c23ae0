"""A SUBSTITUTE for a MongoDB server: it speaks the wire protocol, and keeps documents in memory until it ends.

It knows the commands that a client of GridFS sends, with unique indexes, and ``configureFailPoint`` as test builds of the
real server have it. It has no authentication, TLS, replication or journal.

    mongodb_substitute.py PORT
"""
import itertools
import socketserver
import struct
import sys
import threading

import bson

_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_MORE_TO_COME, _CHECKSUM = 2, 1
_DUPLICATE, _NO_NAMESPACE, _NO_CURSOR, _NO_COMMAND = 11000, 26, 43, 59
_HELLO = {'helloOk': True, 'ismaster': True, 'isWritablePrimary': True, 'maxBsonObjectSize': 16 * 2 ** 20,
          'maxMessageSizeBytes': 48_000_000, 'maxWriteBatchSize': 100_000, 'minWireVersion': 0, 'maxWireVersion': 21,
          'readOnly': False, 'ok': 1.0}
_MISSING = object()


class CommandError(Exception):
    """A command fails with this code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.reply = {'ok': 0.0, 'code': code, 'errmsg': text}


class HangUp(Exception):
    """The connection is to be closed without an answer."""


def field(document, path):
    """The value at a dotted path, or _MISSING."""
    for name in path.split('.'):
        if not isinstance(document, dict) or name not in document:
            return _MISSING
        document = document[name]
    return document


def equal(found, wanted):
    return wanted is None if found is _MISSING else found == wanted and type(found) is type(wanted) or (
        isinstance(found, int | float) and isinstance(wanted, int | float) and found == wanted)


def greater(found, bound):
    return type(found) is type(bound) and found > bound     # like the server: values of other types are not compared


OPERATORS = {
    '$eq': equal,
    '$ne': lambda found, wanted: not equal(found, wanted),
    '$in': lambda found, choices: any(equal(found, each) for each in choices),
    '$nin': lambda found, choices: not any(equal(found, each) for each in choices),
    '$gt': greater,
    '$gte': lambda found, bound: greater(found, bound) or equal(found, bound),
    '$lt': lambda found, bound: type(found) is type(bound) and found < bound,
    '$lte': lambda found, bound: type(found) is type(bound) and found <= bound,
    '$exists': lambda found, wanted: (found is not _MISSING) == bool(wanted),
}


def matches(document, query):
    """Whether a document is what a query asks for."""
    for path, wanted in query.items():
        found = field(document, path)
        if isinstance(wanted, dict) and wanted and all(name.startswith('$') for name in wanted):
            if not all(OPERATORS[name](found, operand) for name, operand in wanted.items()):
                return False
        elif not equal(found, wanted):
            return False
    return True


def projected(document, projection):
    """What a projection that lists fields to show leaves of a document."""
    if not projection:
        return document
    shown = {name for name, show in projection.items() if show}
    return {name: value for name, value in document.items()
            if name in shown or name == '_id' and projection.get('_id', 1)}


class Server:
    """All databases. One command at a time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.collections = {}       # name with its database -> list of documents
        self.indexes = {}           # the same name -> index name -> its description
        self.cursors, self.numbers = {}, itertools.count(1000)
        self.failures = []          # what configureFailPoint ordered

    def run(self, command, application):
        """The answer to a command. Raises HangUp."""
        name = next(iter(command))
        action = getattr(self, 'on_' + name.lower(), None)
        with self.lock:
            try:
                self.fail_on_order(name, application)
                if action is None:
                    raise CommandError(_NO_COMMAND, 'no such command: %s' % name)
                namespace = '%s.%s' % (command.get('$db'), command[name])
                return {**action(command, namespace), 'ok': 1.0}
            except CommandError as error:
                return error.reply

    def fail_on_order(self, name, application):
        for failure in list(self.failures):
            data = failure['data']
            if name not in data['failCommands'] or data.get('appName', application) != application:
                continue
            if isinstance(failure['mode'], dict):
                failure['mode']['times'] -= 1
                if failure['mode']['times'] <= 0:
                    self.failures.remove(failure)
            if data.get('closeConnection'):
                raise HangUp
            raise CommandError(data['errorCode'], 'failing as ordered')

    def on_hello(self, command, namespace):
        return _HELLO

    on_ismaster = on_hello

    def on_ping(self, command, namespace):
        return {}

    on_endsessions = on_killcursors = on_ping

    def on_configurefailpoint(self, command, namespace):
        application = command.get('data', {}).get('appName')
        self.failures = [each for each in self.failures if each['data'].get('appName') != application]
        if command['mode'] != 'off':
            self.failures.append({'mode': command['mode'], 'data': command['data']})
        return {}

    def on_insert(self, command, namespace):
        documents, refused, inserted = self.collections.setdefault(namespace, []), [], 0
        for number, document in enumerate(command['documents']):
            if self.collides(namespace, document):
                refused.append({'index': number, 'code': _DUPLICATE, 'errmsg': 'E11000 duplicate key error'})
                if command.get('ordered', True):
                    break
            else:
                documents.append(document)
                inserted += 1
        return {'n': inserted, **({'writeErrors': refused} if refused else {})}

    def collides(self, namespace, document):
        unique = [index['key'] for index in self.indexes.get(namespace, {}).values() if index.get('unique')]
        for key in [{'_id': 1}, *unique]:
            values = {path: field(document, path) for path in key}
            if any(all(equal(field(other, path), value) for path, value in values.items())
                   for other in self.collections[namespace]):
                return True
        return False

    def on_find(self, command, namespace):
        found = self.matching(namespace, command.get('filter', {}))
        for path, direction in reversed(list(command.get('sort', {}).items())):
            found.sort(key=lambda document, path=path: field(document, path), reverse=direction < 0)
        found = found[command.get('skip', 0):]
        if command.get('limit'):
            found = found[:abs(command['limit'])]
        found = [projected(document, command.get('projection')) for document in found]
        return self.page(namespace, 'firstBatch', found, len(found) if command.get('singleBatch')
                         else command.get('batchSize', 101))

    def on_getmore(self, command, namespace):
        if command['getMore'] not in self.cursors:
            raise CommandError(_NO_CURSOR, 'cursor id not found')
        namespace, rest = self.cursors.pop(command['getMore'])
        return self.page(namespace, 'nextBatch', rest, command.get('batchSize', len(rest)))

    def page(self, namespace, word, documents, most):
        """So many documents, at most as many as one message holds, and a cursor for the rest."""
        size = count = 0
        for document in documents[:most]:
            size += len(bson.encode(document))
            if count and size > _HELLO['maxBsonObjectSize']:
                break
            count += 1
        cursor = 0
        if documents[count:]:
            cursor = next(self.numbers)
            self.cursors[cursor] = namespace, documents[count:]
        return {'cursor': {word: documents[:count], 'id': bson.Int64(cursor), 'ns': namespace}}

    def matching(self, namespace, query):
        return [document for document in self.collections.get(namespace, ()) if matches(document, query)]

    def on_delete(self, command, namespace):
        deleted = 0
        for each in command['deletes']:
            doomed = self.matching(namespace, each['q'])
            doomed = {id(document) for document in (doomed[:1] if each.get('limit') else doomed)}
            if doomed:
                self.collections[namespace] = [document for document in self.collections[namespace]
                                               if id(document) not in doomed]
            deleted += len(doomed)
        return {'n': deleted}

    def on_createindexes(self, command, namespace):
        known = self.indexes.setdefault(namespace, {})
        before = len(known) + 1
        known.update({index['name']: {**index, 'v': 2} for index in command['indexes']})
        return {'numIndexesBefore': before, 'numIndexesAfter': len(known) + 1}

    def on_listindexes(self, command, namespace):
        if namespace not in self.indexes and namespace not in self.collections:
            raise CommandError(_NO_NAMESPACE, 'ns does not exist: %s' % namespace)
        primary = {'v': 2, 'key': {'_id': 1}, 'name': '_id_'}
        return self.page(namespace, 'firstBatch', [primary, *self.indexes.get(namespace, {}).values()], 100)

    def on_dropdatabase(self, command, namespace):
        prefix = command['$db'] + '.'
        for kept in (self.collections, self.indexes):
            for name in [name for name in kept if name.startswith(prefix)]:
                del kept[name]
        return {}


class Connection(socketserver.StreamRequestHandler):
    """One client; it tells the name of its application in its first message."""

    application = None

    def handle(self):
        try:
            while header := self.rfile.read(16):
                length, number, _, kind = struct.unpack('<iiii', header)
                body = self.rfile.read(length - 16)
                answer = {_OP_MSG: self.message, _OP_QUERY: self.query}[kind](body)
                if answer is not None:
                    kind = _OP_MSG if kind == _OP_MSG else _OP_REPLY
                    self.wfile.write(struct.pack('<iiii', 16 + len(answer), 1, number, kind) + answer)
        except (HangUp, ConnectionError, struct.error):
            pass

    def message(self, body):
        flags, = struct.unpack_from('<I', body)
        position, end = 4, len(body) - (4 if flags & _CHECKSUM else 0)
        command, sequences = {}, {}
        while position < end:
            kind = body[position]
            size, = struct.unpack_from('<i', body, position + 1)
            section = body[position + 1:position + 1 + size]
            position += 1 + size
            if kind == 0:
                command = bson.decode(section)
            else:
                name, _, documents = section[4:].partition(b'\0')
                sequences[name.decode()] = bson.decode_all(documents)
        answer = self.answer({**command, **sequences})
        return None if flags & _MORE_TO_COME else bytes(5) + bson.encode(answer)

    def query(self, body):
        """The old form, in which clients say hello."""
        name_end = body.index(b'\0', 4)
        document = body[name_end + 9:]
        size, = struct.unpack_from('<i', document)
        return struct.pack('<iqii', 8, 0, 0, 1) + bson.encode(self.answer(bson.decode(document[:size])))

    def answer(self, command):
        self.application = command.get('client', {}).get('application', {}).get('name', self.application)
        return self.server.databases.run(command, self.application)


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == '__main__':
    with Listener(('127.0.0.1', int(sys.argv[1])), Connection) as listener:
        listener.databases = Server()
        listener.serve_forever()
