"""The few calls of the vSphere Web Services API that a store needs, as SOAP over HTTPS to one host.

One session for each process: calls that find it gone log in again, of several that find that at once only one. No
description of the service is fetched. Answers with a document type are refused, so nothing in them can be expanded.
"""
import contextlib
import logging
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import urllib3

from glance import exceptions

LOG = logging.getLogger(__name__)

_ENVELOPE = ('<?xml version="1.0" encoding="UTF-8"?>'
             '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
             '<soapenv:Body>%s</soapenv:Body></soapenv:Envelope>')
_VIM = '{urn:vim25}'
_BODY = '{http://schemas.xmlsoap.org/soap/envelope/}Body'
_TYPE = '{http://www.w3.org/2001/XMLSchema-instance}type'
_MOST_BYTES = 64 * 1024 * 1024
_FIRST_LOOK, _TASK_SECONDS = 0.05, 600.0

_NOT_LOGGED_IN = 'NotAuthenticated'


class Reference(NamedTuple):
    """A managed object of the server."""

    kind: str
    key: str


class Fault(Exception):
    """The server refused a call, or a task of it failed: ``kind`` is the name of the fault, as ``FileNotFound``."""

    def __init__(self, kind: str):
        super().__init__(kind)
        self.kind = kind


class Services(NamedTuple):
    """The objects of the server through which everything is done."""

    session_manager: Reference
    property_collector: Reference
    search_index: Reference
    file_manager: Reference


class VimClient:
    """The API of one server, used by many threads.

    :param pool: connections to it
    :param attempts: how often a call is tried that finds its session gone
    :param poll_interval: the longest time in seconds between two looks at a task
    """

    def __init__(self, pool: urllib3.HTTPSConnectionPool, user: str, password: str, attempts: int,
                 poll_interval: float):
        self._pool, self._user, self._password = pool, user, password
        self.attempts, self._poll_interval = attempts, poll_interval
        self._lock = threading.Lock()
        self._services: Services | None = None
        self._cookie: str | None = None

    @property
    def cookie(self) -> str:
        """What requests for files have to send as ``Cookie``; logs in when there is no session."""
        return self._cookie or self.renew(None)

    def renew(self, stale: str | None) -> str:
        """Log in unless another thread has done that since this cookie was good; the cookie of the session.

        :raises StoreUnavailable: when name and password are refused, as they may be put right
        """
        with self._lock:
            if self._cookie is not None and self._cookie != stale:
                return self._cookie
            self._cookie = None
            try:
                self._services = self._find_services()
                _, cookie = self._send('Login', self._services.session_manager, None,
                                       [('userName', self._user), ('password', self._password)])
            except Fault as fault:
                LOG.error('The server of virtual machines does not let the image service log in: %s', fault.kind)
                raise exceptions.StoreUnavailable() from fault
            if cookie is None:
                raise exceptions.StoreUnavailable()
            self._cookie = cookie
            return cookie

    def close(self) -> None:
        """Log out."""
        with self._lock:
            cookie, self._cookie = self._cookie, None
            if cookie and self._services:
                with contextlib.suppress(Fault, exceptions.StoreError):
                    self._send('Logout', self._services.session_manager, cookie, [])

    def datacenter(self, path: str) -> Reference | None:
        """The datacenter of an inventory path, or None."""
        answer = self._call('FindByInventoryPath', 'search_index', [('inventoryPath', path)])
        found = answer.find(_VIM + 'returnval')
        return None if found is None else _reference(found)

    def properties(self, objects: Sequence[Reference], *names: str) -> dict[Reference, dict[str, ElementTree.Element]]:
        """Properties of objects that are all of one kind; what an object does not have is left out."""
        if not objects:
            return {}
        wanted = [('propSet', [('type', objects[0].kind), ('all', 'false'), *(('pathSet', name) for name in names)]),
                  *(('objectSet', [('obj', each), ('skip', 'false')]) for each in objects)]
        answer = self._call('RetrievePropertiesEx', 'property_collector', [('specSet', wanted), ('options', [])])
        found: dict[Reference, dict[str, ElementTree.Element]] = {}
        while True:
            for each in answer.iterfind('%sreturnval/%sobjects' % (_VIM, _VIM)):
                found[_reference(each.find(_VIM + 'obj'))] = {
                    one.findtext(_VIM + 'name'): one.find(_VIM + 'val') for one in each.iterfind(_VIM + 'propSet')}
            token = answer.findtext('%sreturnval/%stoken' % (_VIM, _VIM))
            if not token:
                return found
            answer = self._call('ContinueRetrievePropertiesEx', 'property_collector', [('token', token)])

    def make_directory(self, path: str, datacenter: Reference) -> None:
        """Make a directory of a datastore, with those above it. Raises Fault."""
        self._call('MakeDirectory', 'file_manager', [
            ('name', path), ('datacenter', datacenter), ('createParentDirectories', 'true')])

    def move_file(self, source: str, destination: str, datacenter: Reference) -> None:
        """Rename a file of a datastore unless there is one of the new name. Raises Fault (FileAlreadyExists)."""
        self._run_task('MoveDatastoreFile_Task', 'file_manager', [
            ('sourceName', source), ('sourceDatacenter', datacenter), ('destinationName', destination),
            ('destinationDatacenter', datacenter), ('force', 'false')])

    def delete_file(self, path: str, datacenter: Reference) -> None:
        """Remove a file of a datastore. Raises Fault (FileNotFound)."""
        self._run_task('DeleteDatastoreFile_Task', 'file_manager', [('name', path), ('datacenter', datacenter)])

    def search(self, browser: Reference, path: str, pattern: str) -> Iterator[tuple[str, int, str]]:
        """The files in a directory of a datastore: name, size in bytes, and time of the last change.

        :raises Fault: FileNotFound where there is no such directory
        """
        details = [('fileType', 'false'), ('fileSize', 'true'), ('modification', 'true'), ('fileOwner', 'false')]
        result = self._run_task('SearchDatastore_Task', browser, [
            ('datastorePath', path), ('searchSpec', [('details', details), ('matchPattern', pattern)])])
        for file in result.iterfind(_VIM + 'file') if result is not None else ():
            yield (file.findtext(_VIM + 'path') or '', int(file.findtext(_VIM + 'fileSize') or 0),
                   file.findtext(_VIM + 'modification') or '')

    def _run_task(self, method: str, this: str | Reference, arguments: list) -> ElementTree.Element | None:
        """Have a task done and wait for it; its result. Raises Fault when it fails."""
        task = _reference(self._call(method, this, arguments).find(_VIM + 'returnval'))
        pause, deadline = _FIRST_LOOK, time.monotonic() + _TASK_SECONDS
        while time.monotonic() < deadline:
            info = self.properties([task], 'info.state', 'info.error', 'info.result')[task]
            state = info['info.state'].text
            if state == 'success':
                return info.get('info.result')
            if state == 'error':
                raise Fault(_kind(info['info.error'].find(_VIM + 'fault')))
            time.sleep(min(pause, self._poll_interval))
            pause *= 2
        LOG.error('A task %s of the server of virtual machines did not end within %d seconds', method, _TASK_SECONDS)
        raise exceptions.StoreUnavailable()

    def _call(self, method: str, this: str | Reference, arguments: list) -> ElementTree.Element:
        """Call a method of an object, or of one of Services, in a session."""
        for attempt in range(self.attempts):
            cookie = self.cookie
            target = getattr(self._services, this) if isinstance(this, str) else this
            try:
                return self._send(method, target, cookie, arguments)[0]
            except Fault as fault:
                if fault.kind != _NOT_LOGGED_IN or attempt + 1 == self.attempts:
                    raise
            self.renew(cookie)
        raise AssertionError('the loop ends by itself')

    def _find_services(self) -> Services:
        content, _ = self._send('RetrieveServiceContent', Reference('ServiceInstance', 'ServiceInstance'), None, [])
        names = ('sessionManager', 'propertyCollector', 'searchIndex', 'fileManager')
        return Services(*(_reference(content.find('%sreturnval/%s%s' % (_VIM, _VIM, name))) for name in names))

    def _send(self, method: str, this: Reference, cookie: str | None,
              arguments: list) -> tuple[ElementTree.Element, str | None]:
        """One request; the element of its answer, and the cookie that came with it. Raises Fault, StoreUnavailable."""
        call = '<%s xmlns="urn:vim25">%s</%s>' % (method, _written('_this', this) + _written_all(arguments), method)
        headers = {'Content-Type': 'text/xml; charset=utf-8', 'SOAPAction': 'urn:vim25/5.5'}
        if cookie:
            headers['Cookie'] = cookie
        try:
            response = self._pool.urlopen('POST', '/sdk', (_ENVELOPE % call).encode(), headers, redirect=False,
                                          preload_content=False, retries=False)
            content = response.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                response.close()
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            LOG.error('The server of virtual machines cannot be reached: %s', type(error).__name__)
            raise exceptions.StoreUnavailable() from error
        return _answer_in(content, response.status, method), _cookie_of(response.headers)


class _NoDoctype(ElementTree.TreeBuilder):
    """Builds trees of documents without a document type, and so without entities."""

    def doctype(self, *_: Any) -> None:
        raise ElementTree.ParseError('a document type')


def parse(content: bytes) -> ElementTree.Element:
    """A document from a server. Raises ElementTree.ParseError for what is none, or declares a document type."""
    return ElementTree.fromstring(content, ElementTree.XMLParser(target=_NoDoctype()))


def _answer_in(content: bytes, status: int, method: str) -> ElementTree.Element:
    try:
        if len(content) > _MOST_BYTES:
            raise ElementTree.ParseError('too long')
        answer = parse(content).find(_BODY)[0]
    except (ElementTree.ParseError, TypeError, IndexError) as error:
        LOG.error('The server of virtual machines answered %s with status %d and no SOAP', method, status)
        raise exceptions.StoreUnavailable() from error
    if answer.tag == '%s%sResponse' % (_VIM, method):
        return answer
    details = answer.find('detail')
    raise Fault(_kind(details[0]) if details is not None and len(details) else 'unknown')


def _kind(fault: ElementTree.Element | None) -> str:
    """The name of a fault, which its type tells, or in older forms its tag."""
    if fault is None:
        return 'unknown'
    return (fault.get(_TYPE) or fault.tag.rpartition('}')[2].removesuffix('Fault')).rpartition(':')[2]


def _reference(element: ElementTree.Element | None) -> Reference:
    if element is None or not element.get('type'):
        LOG.error('The server of virtual machines left something out of an answer')
        raise exceptions.StoreUnavailable()
    return Reference(element.get('type'), element.text or '')


def references(value: ElementTree.Element) -> list[Reference]:
    """The objects in the value of a property that lists some."""
    return [_reference(each) for each in value]


def reference(value: ElementTree.Element) -> Reference:
    """The object that is the value of a property."""
    return _reference(value)


def _written(name: str, value: Any) -> str:
    """An argument as XML: text, a reference, or a list of arguments."""
    if isinstance(value, Reference):
        return '<%s type=%s>%s</%s>' % (name, quoteattr(value.kind), escape(value.key), name)
    return '<%s>%s</%s>' % (name, escape(value) if isinstance(value, str) else _written_all(value), name)


def _written_all(arguments: list) -> str:
    return ''.join(_written(name, value) for name, value in arguments)


def _cookie_of(headers: urllib3.HTTPHeaderDict) -> str | None:
    """The cookie of the session, as it is to be sent back."""
    for line in headers.getlist('Set-Cookie'):
        cookie = line.partition(';')[0].strip()
        if cookie.startswith('vmware_soap_session='):
            return cookie
    return None
