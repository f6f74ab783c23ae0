"""Tags by URL and actions, where only the process itself shows what happens."""
from glance.db.interface import ImageChanges
from tests.unit.api.serving import ServingTestCase
from tests.unit.layers import fakes


class TagTest(ServingTestCase):

    def record(self, image):
        return self.env.database.image_get(fakes.admin(), image['id'])

    def test_every_call_moves_updated_at(self):
        image = self.create()
        for method, tag in (('PUT', 'a'), ('PUT', 'a'), ('DELETE', 'a')):
            before = self.record(image)['updated_at']
            self.assertEqual(204, self.code(method, '/images/%s/tags/%s' % (image['id'], tag)))
            self.assertGreater(self.record(image)['updated_at'], before)

    def test_a_refused_call_does_not(self):
        image = self.create(tags=['a'])
        before = self.record(image)
        for method, tag in (('DELETE', 'b'), ('PUT', 'x' * 256), ('PUT', '%00')):
            self.assertIn(self.code(method, '/images/%s/tags/%s' % (image['id'], tag)), (400, 404))
        self.assertEqual(before, self.record(image))


class ActionTest(ServingTestCase):

    def test_a_lost_race_is_a_conflict(self):
        """Somebody else changes the status between the look and the write."""
        for action, before, meanwhile in (('deactivate', 'active', 'deactivated'), ('reactivate', 'deactivated', 'active')):
            with self.subTest(action=action):
                image = self.active()
                self.set_status(image, before)
                database = self.env.database

                def interfere(image=image, before=before, meanwhile=meanwhile, database=database):
                    database.image_update(image['id'], ImageChanges(columns={'status': meanwhile}), before)
                self.serve(database=fakes.Failing(database, image_update=[interfere]))
                self.assertEqual(409, self.code('POST', '/images/%s/actions/%s' % (image['id'], action)))
                self.assertEqual(meanwhile, self.show(image)['status'])
                self.serve()

    def test_an_image_that_goes_away_meanwhile(self):
        image = self.active()
        database = self.env.database
        self.serve(database=fakes.Failing(database, image_update=[lambda: database.image_remove(image['id'])]))
        self.assertEqual(404, self.code('POST', '/images/%s/actions/deactivate' % image['id']))

    def test_only_the_status_is_written(self):
        image = self.active()
        self.patch(image, {'op': 'add', 'path': '/tags', 'value': ['t']})
        database = self.env.database
        written = []

        def note(image_id, changes, *args, **kwargs):
            written.append((dict(changes.columns), *args[:1]))
            return database.image_update(image_id, changes, *args, **kwargs)
        wrapped = fakes.Failing(database)
        wrapped.image_update = note
        self.serve(database=wrapped)
        self.assertEqual(204, self.code('POST', '/images/%s/actions/deactivate' % image['id']))
        self.assertEqual([({'status': 'deactivated'}, 'active')], written)
