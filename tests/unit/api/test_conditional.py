"""Entity tags, conditional requests and counts, which unchanged clients do not notice."""
from glance.db.interface import ImageChanges
from tests.unit.api.serving import DATA, V21, ServingTestCase

NAME = [{'op': 'replace', 'path': '/name', 'value': 'new'}]


class ImageTest(ServingTestCase):
    def setUp(self):
        super().setUp()
        self.image = self.create(name='old', p='1')
        self.path = '/images/' + self.image['id']

    def tag(self):
        return self.call('GET', self.path).headers['ETag']

    def change(self, tag):
        return self.call('PATCH', self.path, NAME, {'Content-Type': V21, 'If-Match': tag})

    def test_the_tag_follows_the_image(self):
        before = self.tag()
        self.assertEqual(before, self.tag())
        response = self.change(before)
        self.assertEqual((200, self.tag()), (response.status_int, response.headers['ETag']))
        self.assertNotEqual(before, self.tag())

    def test_what_the_client_has_is_not_sent_again(self):
        response = self.call('GET', self.path, headers={'If-None-Match': self.tag()})
        self.assertEqual((304, b''), (response.status_int, response.body))
        self.assertEqual(200, self.code('GET', self.path, headers={'If-None-Match': '"other"'}))

    def test_head_tells_what_get_would(self):
        get, head = self.call('GET', self.path), self.call('HEAD', self.path)
        self.assertEqual(b'', head.body)
        for name in ('ETag', 'Content-Type', 'Content-Length'):
            self.assertEqual(get.headers[name], head.headers[name])

    def test_a_change_of_an_image_that_the_client_has_not_seen_is_refused(self):
        tag = self.tag()
        self.assertEqual(200, self.change('*').status_int)
        self.assertEqual(412, self.change(tag).status_int)
        self.assertEqual('new', self.show(self.image)['name'])

    def test_a_change_between_looking_and_saving_is_noticed(self):
        database, image_id = self.env.database, self.image['id']
        real = database.image_update

        def overtaken(*args, **kwargs):
            database.image_update = real
            real(image_id, ImageChanges(set_properties={'p': '2'}))
            return real(*args, **kwargs)
        database.image_update = overtaken
        self.assertEqual(412, self.change(self.tag()).status_int)
        self.assertEqual(('old', '2'), (self.show(self.image)['name'], self.show(self.image)['p']))


class DataTest(ServingTestCase):
    def setUp(self):
        super().setUp()
        self.image = self.active()
        self.tag = '"%s"' % self.image['os_hash_value']

    def get(self, **headers):
        headers = {name.replace('_', '-'): value for name, value in headers.items()}
        return self.call('GET', '/images/%s/file' % self.image['id'], headers=headers)

    def test_the_tag_is_the_hash(self):
        self.assertEqual(self.tag, self.get().headers['ETag'])
        response = self.get(If_None_Match=self.tag)
        self.assertEqual((304, b''), (response.status_int, response.body))

    def test_the_rest_only_of_the_same_data(self):
        response = self.get(Range='bytes=4-', If_Range=self.tag)
        self.assertEqual((206, DATA[4:]), (response.status_int, response.body))
        response = self.get(Range='bytes=4-', If_Range='"other"')
        self.assertEqual((200, DATA), (response.status_int, response.body))


class CountTest(ServingTestCase):
    def test_the_number_of_images_on_all_pages_is_told_on_request(self):
        for number in range(5):
            self.create(name='a' if number else 'b')
        response = self.call('GET', '/images?limit=2&name=a', headers={'Prefer': 'respond-async, count=exact'})
        self.assertEqual(('4', 'count=exact', 2), (response.headers['X-Total-Count'],
                                                   response.headers['Preference-Applied'], len(response.json['images'])))
        self.assertNotIn('X-Total-Count', self.call('GET', '/images').headers)
