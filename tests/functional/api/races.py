"""Requests that meet: several that are whole but for one byte and get it together, or a crowd of client processes.

Nothing here imports more than it needs: the processes of a crowd start with this module.
"""

import concurrent.futures
import dataclasses
import hashlib
import http.client
import json
import multiprocessing
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterable

SECONDS = 60
"""How long an answer may take before the test fails."""
PAUSE = 0.006
"""Seconds at most between the first and the last of requests that meet: about what the slowest of them takes."""
OCTETS = 'application/octet-stream'
JSON_PATCH = 'application/openstack-images-v2.1-json-patch'
Headers = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


class HeldRequest:
    """A request on a connection of its own, of which the last bytes are still to be sent.

    :param body: bytes, sent as they are; anything else is sent as JSON; None is no body
    :param held: how many bytes of head and body are kept back
    :param chunked: send the body in chunks, without telling its length
    """

    def __init__(self, port: int, identity: Headers, method: str, path: str, body=None, headers: Headers | None = None,
                 held: int = 1, chunked: bool = False):
        self.name = f'{method} {path}'
        request = _request(identity, method, path, body, headers or {}, chunked)
        self._rest = request[-held:]
        self._socket = socket.create_connection(('127.0.0.1', port), timeout=SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request[:-held])

    def release(self) -> 'HeldRequest':
        """Send what was kept back."""
        self._socket.sendall(self._rest)
        return self

    def answer(self) -> Answer:
        """Read the response, which must be whole, and close the connection."""
        response = http.client.HTTPResponse(self._socket)
        try:
            response.begin()
            return Answer(response.status, response.headers, response.read())
        finally:
            response.close()
            self._socket.close()

    def read_head(self) -> http.client.HTTPResponse:
        """Read the head of the response and leave its body in the connection, which closes with the response."""
        response = http.client.HTTPResponse(self._socket)
        response.begin()
        self._socket.close()
        return response


def _request(identity: Headers, method: str, path: str, body, headers: Headers, chunked: bool) -> bytes:
    if body is not None and not isinstance(body, bytes):
        headers = {'Content-Type': JSON_PATCH if method == 'PATCH' else 'application/json', **headers}
        body = json.dumps(body).encode()
    elif body is not None:
        headers = {'Content-Type': OCTETS, **headers}
    if body is not None:
        headers |= {'Transfer-Encoding': 'chunked'} if chunked else {'Content-Length': str(len(body))}
    lines = [f'{method} {path} HTTP/1.1', 'Host: localhost', 'Connection: close']
    lines += [f'{name}: {value}' for name, value in {**identity, **headers}.items()]
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + (_in_chunks(body) if chunked else body or b'')


def _in_chunks(data: bytes, size: int = 65536) -> bytes:
    pieces = [data[start:start + size] for start in range(0, len(data), size)]
    return b''.join(b'%x\r\n%s\r\n' % (len(piece), piece) for piece in pieces) + b'0\r\n\r\n'


def meet(requests: list[HeldRequest], chance: random.Random) -> list[Answer]:
    """Release the requests in any order, all at once or a little apart, and return the answers in the order given."""
    order = chance.sample(requests, len(requests))
    longest = chance.choice((0, 0, PAUSE / 4, PAUSE))
    for request in order:
        request.release()
        if longest:
            time.sleep(chance.uniform(0, longest / len(requests)))      # the race itself: nothing is waited for
    return [request.answer() for request in requests]


# A crowd: processes that do whatever comes to mind with the same images.

@dataclasses.dataclass(frozen=True)
class Deed:
    """Something to do with an image; ``allowed`` are the answers that are right whatever the others do meanwhile."""

    method: str
    path: str
    allowed: frozenset[int]
    body: Callable[[random.Random, str], object] = lambda chance, image_id: None
    weight: int = 2


def _image(chance, image_id):
    return {'id': image_id, 'disk_format': 'raw', 'container_format': 'bare', 'tags': ['a'], 'p': 'new'}


def _patch(chance, image_id):
    name, value = chance.choice(('name', 'p', 'q', 'r')), str(chance.random())
    return [{'op': 'add', 'path': f'/{name}', 'value': value}]


def _tags(chance, image_id):
    return [{'op': 'replace', 'path': '/tags', 'value': chance.sample('abcd', 2)}]


def _data(chance, image_id):
    return chance.randbytes(chance.choice((0, 10, 100_000)))


DEEDS = (
    Deed('POST', '/v2/images', frozenset((201, 409)), _image, weight=4),
    Deed('GET', '/v2/images?limit=20', frozenset((200,)), weight=1),
    Deed('GET', '/v2/images/{id}', frozenset((200, 404)), weight=1),
    Deed('PATCH', '/v2/images/{id}', frozenset((200, 404)), _patch, weight=4),
    Deed('PATCH', '/v2/images/{id}', frozenset((200, 404)), _tags),
    Deed('DELETE', '/v2/images/{id}', frozenset((204, 404)), weight=1),
    Deed('PUT', '/v2/images/{id}/file', frozenset((204, 404, 409, 410)), _data, weight=4),
    Deed('GET', '/v2/images/{id}/file', frozenset((200, 204, 403, 404))),
    Deed('PUT', '/v2/images/{id}/tags/b', frozenset((204, 404))),
    Deed('DELETE', '/v2/images/{id}/tags/b', frozenset((204, 404))),
    Deed('POST', '/v2/images/{id}/members', frozenset((200, 404, 409)), lambda chance, image_id: {'member': 'friend'}),
    Deed('GET', '/v2/images/{id}/members', frozenset((200, 404)), weight=1),
    Deed('DELETE', '/v2/images/{id}/members/friend', frozenset((204, 404)), weight=1),
    Deed('POST', '/v2/images/{id}/actions/deactivate', frozenset((204, 403, 404, 409))),
    Deed('POST', '/v2/images/{id}/actions/reactivate', frozenset((204, 403, 404, 409))),
)


def crowd(port: int, identity: Headers, processes: int, images: int, deeds: int) -> list[str]:
    """Let processes do *deeds* things each with *images* images, one image after the other, and return what went wrong."""
    ids = [str(uuid.uuid4()) for _ in range(images)]
    spawn = multiprocessing.get_context('spawn')    # this process has threads and connections that must not be copied
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        parts = [pool.submit(_one_of_a_crowd, port, identity, seed, ids, deeds) for seed in range(processes)]
        return [complaint for part in parts for complaint in part.result()]


def _one_of_a_crowd(port: int, identity: Headers, seed: int, ids: Iterable[str], deeds: int) -> list[str]:
    chance, complaints = random.Random(seed), []
    for image_id in ids:
        for deed in chance.choices(DEEDS, [deed.weight for deed in DEEDS], k=deeds // len(ids)):
            request = HeldRequest(port, identity, deed.method, deed.path.format(id=image_id), deed.body(chance, image_id))
            try:
                answer = request.release().answer()
            except (OSError, http.client.HTTPException) as error:
                complaints.append(f'{request.name}: {error!r}')
                continue
            if answer.status not in deed.allowed:
                complaints.append(f'{request.name}: {answer.status} {answer.body[:200]!r}')
            checksum = answer.headers['Content-MD5']
            if checksum and checksum != hashlib.md5(answer.body, usedforsecurity=False).hexdigest():
                complaints.append(f'{request.name}: {len(answer.body)} bytes that do not have the checksum {checksum}')
    return complaints
