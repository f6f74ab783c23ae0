"""A thin HTTP client for tests: it sends what it is told and returns the response, whatever the status."""

import requests

IMAGE_DATA = {'Content-Type': 'application/octet-stream'}


class ApiClient:
    """Requests to one server as one caller.

    :param url: address of the server, without a path
    :param token: value of ``X-Auth-Token``; None sends none
    :param headers: sent with every request
    """

    def __init__(self, url: str, token: str | None = None, headers: dict[str, str] | None = None):
        self.url = url.rstrip('/')
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy, no .netrc: the server is ours and on loopback
        self.session.headers.update(headers or {})
        if token is not None:
            self.session.headers['X-Auth-Token'] = token

    def request(self, method: str, path: str, timeout: float = 60, **kwargs) -> requests.Response:
        """Send one request; *kwargs* as for ``requests`` (json, data, headers, params, stream …)."""
        return self.session.request(method, self.url + path, timeout=timeout, allow_redirects=False, **kwargs)

    def get(self, path: str, **kwargs) -> requests.Response:
        return self.request('GET', path, **kwargs)

    def post(self, path: str, **kwargs) -> requests.Response:
        return self.request('POST', path, **kwargs)

    def put(self, path: str, **kwargs) -> requests.Response:
        return self.request('PUT', path, **kwargs)

    def patch(self, path: str, operations: list, **kwargs) -> requests.Response:
        """PATCH with a JSON patch of version 2.1."""
        headers = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
        return self.request('PATCH', path, json=operations, headers=headers, **kwargs)

    def delete(self, path: str, **kwargs) -> requests.Response:
        return self.request('DELETE', path, **kwargs)

    def upload(self, image_id: str, data, **headers: str) -> requests.Response:
        """PUT the bytes (or an iterable of bytes, sent chunked) of an image."""
        return self.put(f'/v2/images/{image_id}/file', data=data, headers={**IMAGE_DATA, **headers})

    def create_image(self, data: bytes | None = None, **attributes) -> dict:
        """An image that must come into being: raw and bare unless *attributes* differ; active when *data* is given.

        :returns: the image as the server shows it
        :raises AssertionError: the server refused
        """
        attributes = {'disk_format': 'raw', 'container_format': 'bare', **attributes}
        response = self.post('/v2/images', json=attributes)
        _expect(response, 201)
        image = response.json()
        if data is None:
            return image
        _expect(self.upload(image['id'], data), 204)
        response = self.get(f'/v2/images/{image["id"]}')
        _expect(response, 200)
        return response.json()


def _expect(response: requests.Response, status: int) -> None:
    if response.status_code != status:
        request = response.request
        raise AssertionError(f'{request.method} {request.url} answered {response.status_code}, not {status}: '
                             f'{response.text[:500]}')
