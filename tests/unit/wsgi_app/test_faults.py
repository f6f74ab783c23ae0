"""Errors as HTTP: status codes and the three forms of a fault's body."""
import json
import unittest

from glance import exceptions
from glance.wsgi import faults

HTML = ('<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  '
        'no &lt;b&gt; &amp; &quot;q&quot;<br /><br />\n\n\n\n </body>\n</html>')


def fault(accept=None, status=404, message='no <b> & "q"'):
    environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/'}
    if accept is not None:
        environ['HTTP_ACCEPT'] = accept
    return faults.fault(status, message, environ)


class FormTest(unittest.TestCase):

    def test_text(self):
        for accept in (None, '', ' ', 'text/plain', 'application/octet-stream', 'image/*', 'application/xml',
                       'text/html;q=0'):
            with self.subTest(accept=accept):
                response = fault(accept)
                self.assertEqual('text/plain; charset=UTF-8', response.headers['Content-Type'])
                self.assertEqual('404 Not Found\n\nno <b> & "q"', response.text.rstrip('\n'))

    def test_html(self):
        for accept in ('*/*', 'text/*', 'text/html', 'application/json, text/html', 'text/html, application/json',
                       'application/json;q=0.5, text/html;q=0.5', 'application/json;q=0.1, */*;q=0.9',
                       'text/html;level=1, */*;q=0.1'):
            with self.subTest(accept=accept):
                response = fault(accept)
                self.assertEqual('text/html; charset=UTF-8', response.headers['Content-Type'])
                self.assertEqual(HTML, response.text)

    def test_json(self):
        for accept in ('application/json', 'application/*', 'application/json, text/plain',
                       'application/json, text/html;q=0.9',
                       'text/html;q=0.1, application/json;q=0.2', 'application/json, */*;q=0.5', 'APPLICATION/JSON'):
            with self.subTest(accept=accept):
                response = fault(accept)
                self.assertEqual('application/json', response.headers['Content-Type'])
                self.assertEqual({'message': 'no <b> & "q"', 'code': '404 Not Found', 'title': 'Not Found'},
                                 response.json)

    def test_an_accept_header_that_is_none(self):
        for accept in ('x', ';;;', 'text/html;q=x', ',', '\xff', 'a/b;q=2', '*', 'text/html;q=0.5;q='):
            with self.subTest(accept=accept):
                self.assertEqual(404, fault(accept).status_int)

    def test_text_of_any_kind_survives(self):
        for message in ('é', '\U0001f600', '\ud800', '\0', '${CONTENT_TYPE}', '%s', '</script><script>', '\r\nX: y',
                        '{}'):
            for accept in (None, 'text/html', 'application/json'):
                with self.subTest(message=message, accept=accept):
                    response = fault(accept, message=message)
                    text = response.body.decode('utf-8')
                    if accept == 'application/json':
                        json.loads(text)
                    self.assertNotIn('X', response.headers)
                    if message == '${CONTENT_TYPE}':
                        self.assertIn(message, text)
                    if accept == 'text/html':
                        self.assertNotIn('<script>', text)

    def test_the_length_is_that_of_the_bytes(self):
        for accept in (None, 'text/html', 'application/json'):
            response = fault(accept, message='é' * 10)
            self.assertEqual(len(response.body), response.content_length)

    def test_no_guessing_of_types(self):
        self.assertEqual('nosniff', fault().headers['X-Content-Type-Options'])

    def test_names_of_statuses(self):
        for status, title in ((400, 'Bad Request'), (401, 'Unauthorized'), (403, 'Forbidden'),
                              (405, 'Method Not Allowed'),
                              (409, 'Conflict'), (410, 'Gone'), (413, 'Request Entity Too Large'),
                              (415, 'Unsupported Media Type'),
                              (416, 'Requested Range Not Satisfiable'), (431, 'Request Header Fields Too Large'),
                              (500, 'Internal Server Error'), (501, 'Not Implemented'), (503, 'Service Unavailable')):
            with self.subTest(status=status):
                response = fault('application/json', status)
                self.assertEqual(status, response.status_int)
                self.assertEqual(('%d %s' % (status, title), title), (response.json['code'], response.json['title']))
                self.assertEqual('%d %s' % (status, title), response.status)


class StatusTest(unittest.TestCase):

    def test_every_error(self):
        expected = {
            exceptions.NotAuthenticated(): 401, exceptions.Forbidden(): 403, exceptions.ProtectedImageDelete('i'): 403,
            exceptions.ReadonlyProperty('a'): 403, exceptions.ReservedProperty('a'): 403,
            exceptions.StoreForbidden(): 403,
            exceptions.NotFound(): 404, exceptions.ImageNotFound('i'): 404, exceptions.MemberNotFound('i', 'm'): 404,
            exceptions.TagNotFound('i', 't'): 404, exceptions.LocationNotFound('i', 1): 404, exceptions.Conflict(): 409,
            exceptions.Duplicate(): 409, exceptions.StatusConflict('i', 'a', 'b'): 409, exceptions.ObjectExists(): 409,
            exceptions.ObjectInUse(): 409, exceptions.ImageGone('i'): 410, exceptions.StoreReadOnly(): 410,
            exceptions.LimitExceeded(): 413, exceptions.ImageSizeLimitExceeded(1): 413,
            exceptions.StorageQuotaFull(): 413,
            exceptions.StoreFull(): 413, exceptions.InvalidImageData(): 415, exceptions.Invalid(): 400,
            exceptions.InvalidImageStatusTransition('a', 'b'): 400, exceptions.InvalidSortKey(): 400,
            exceptions.InvalidFilter(): 400,
            exceptions.InvalidMarker('m'): 400, exceptions.SizeMismatch(1, 2): 400, exceptions.UnknownStore('s'): 400,
            exceptions.RangeNotSupported(): 400, exceptions.StoreWriteDenied(): 503, exceptions.StoreUnavailable(): 503,
            exceptions.DatabaseUnavailable(): 503, faults.HTTPFault(418, 'x'): 418, ValueError('x'): 500,
            KeyError('x'): 500,
            exceptions.GlanceError(): 500,
        }
        for error, status in expected.items():
            with self.subTest(error=type(error).__name__):
                self.assertEqual(status, faults.status_of(error))

    def test_no_error_of_ours_is_forgotten(self):
        def classes(base):
            for kind in base.__subclasses__():
                yield kind
                yield from classes(kind)
        for kind in classes(exceptions.GlanceError):
            # A wrong encryption key is the operator's business: the client hears of an error inside, and the log why.
            inside = (exceptions.ConfigurationError, exceptions.LocationUnreadable)
            if kind.__module__ == 'glance.exceptions' and not issubclass(kind, inside):
                with self.subTest(kind=kind.__name__):
                    self.assertNotEqual(500, faults.status_of(kind.__new__(kind)))


class ResponseTest(unittest.TestCase):

    def response(self, error, **environ):
        return faults.response_for(error, {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/v2/images', **environ})

    def test_our_own_faults_tell_nothing(self):
        with self.assertLogs(faults.LOG, 'ERROR') as logs:
            response = self.response(ValueError('secret of /etc/passwd'))
        self.assertEqual(500, response.status_int)
        self.assertNotIn('secret', response.text)
        self.assertIn('secret', logs.output[0])

    def test_refusals_tell_what_is_wrong(self):
        with self.assertNoLogs(faults.LOG, 'ERROR'):
            self.assertIn('tag quota', self.response(exceptions.LimitExceeded('tag quota')).text)

    def test_headers_of_a_fault(self):
        response = self.response(faults.HTTPFault(405, 'no', [('Allow', 'GET, PUT')]))
        self.assertEqual((405, 'GET, PUT'), (response.status_int, response.headers['Allow']))

    def test_what_may_be_tried_again_says_when(self):
        for error in (exceptions.DatabaseUnavailable(), exceptions.StoreUnavailable()):
            self.assertTrue(int(self.response(error).headers['Retry-After']) > 0)

    def test_a_head_request_has_no_body(self):
        heads = []
        environ = {'REQUEST_METHOD': 'HEAD', 'PATH_INFO': '/v2/images'}
        response = faults.response_for(faults.HTTPFault(405, 'no'), environ)
        body = b''.join(response(environ, lambda status, headers, exc_info=None: heads.append(status)))
        self.assertEqual((b'', ['405 Method Not Allowed']), (body, heads))
