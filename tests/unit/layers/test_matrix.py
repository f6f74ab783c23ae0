"""Who may do what with which image: the whole gateway over records in memory."""
import unittest

from glance import exceptions, gateway
from glance.db.interface import ImageChanges, ImageQuery
from tests.unit.layers import fakes

# member, reader and role-less user of the owning project; member and reader of a project the image is shared with; member
# elsewhere; admin; service; admin of the system.
COLUMNS = 'MRNmrOASY'
MATRIX = """
list                        200 200 403 200 200 200 200 403 403
show private                200 200 404 404 404 404 200 404 404
show shared                 200 200 404 200 200 404 200 404 404
show community              200 200 404 200 200 200 200 404 404
show public                 200 200 404 200 200 200 200 404 404
patch private               200 403 404 404 404 404 200 404 404
patch shared                200 403 404 403 403 404 200 404 404
patch community             200 403 404 403 403 403 200 404 404
patch public                200 403 404 403 403 403 200 404 404
upload private              200 403 404 404 404 404 200 404 404
upload shared               200 403 404 403 403 404 200 404 404
upload public               200 403 404 403 403 403 200 404 404
download private            200 403 404 404 404 404 200 404 404
download shared             200 403 404 200 403 404 200 404 404
download community          200 403 404 200 403 200 200 404 404
download public             200 403 404 200 403 200 200 404 404
download-deactivated public 403 403 404 403 403 403 200 404 404
create private              200 403 403 200 403 200 200 403 403
create shared               200 403 403 200 403 200 200 403 403
create community            200 403 403 200 403 200 200 403 403
create public               403 403 403 403 403 403 200 403 403
create-foreign private      403 403 403 403 403 403 200 403 403
publicize private           403 403 404 404 404 404 200 404 404
communitize private         200 403 404 404 404 404 200 404 404
list-members shared         200 200 404 200 200 404 200 404 404
list-members private        403 403 404 404 404 404 403 404 404
list-members community      403 403 404 403 403 403 403 404 404
list-members public         403 403 404 403 403 403 403 404 404
show-member shared          200 200 404 200 200 404 200 404 404
show-member public          404 404 404 404 404 404 404 404 404
add-member shared           200 403 404 403 403 404 200 404 404
add-member private          403 403 404 404 404 404 403 404 404
add-member public           403 403 404 403 403 403 403 404 404
answer shared               403 403 404 200 403 404 200 404 404
answer public               403 403 404 403 403 403 403 404 404
delete-member shared        200 403 404 403 403 404 200 404 404
delete-member public        403 403 404 403 403 403 403 404 404
show-other-member shared    200 200 404 404 404 404 200 404 404
answer-other shared         403 403 404 404 404 404 200 404 404
delete-other-member shared  200 403 404 404 404 404 200 404 404
tag public                  200 403 404 403 403 403 200 404 404
deactivate shared           200 403 404 403 403 404 200 404 404
deactivate public           200 403 404 403 403 403 200 404 404
reactivate public           200 403 404 403 403 403 200 404 404
get-locations private       403 403 404 404 404 404 200 404 404
get-locations shared        403 403 404 403 403 404 200 404 404
get-locations public        403 403 404 403 403 403 200 200 404
set-locations private       200 403 404 404 404 404 200 404 404
set-locations shared        200 403 404 403 403 404 200 404 404
delete private              200 403 404 404 404 404 200 404 404
delete shared               200 403 404 403 403 404 200 404 404
delete public               200 403 404 403 403 403 200 404 404
"""
# With enforce_new_defaults off: R and N are like M, r is like m, S is like O.
LIKE = {'R': 'M', 'N': 'M', 'r': 'm', 'S': 'O'}


def callers():
    return {
        'M': fakes.caller(fakes.OWNER), 'R': fakes.caller(fakes.OWNER, ('reader',)), 'N': fakes.caller(fakes.OWNER, ()),
        'm': fakes.caller(fakes.FRIEND), 'r': fakes.caller(fakes.FRIEND, ('reader',)),
        'O': fakes.caller(fakes.STRANGER),
        'A': fakes.admin(), 'S': fakes.caller('p-service', ('service',)),
        'Y': fakes.caller(None, ('admin', 'member', 'reader'), system_scope='all', is_admin=True),
    }


def rows():
    for line in MATRIX.strip().splitlines():
        words = line.split()
        names, codes = words[:-len(COLUMNS)], words[-len(COLUMNS):]
        yield names[0], names[1] if len(names) > 1 else None, dict(zip(COLUMNS, map(int, codes), strict=True))


class MatrixTest(unittest.TestCase):

    def setUp(self):
        self.conf = fakes.make_conf()
        self.env = fakes.make_environment(self, self.conf)

    def stored(self, visibility, **values):
        """Store an image of the owning project with data and a member; return its id."""
        values = {'status': 'active', 'size': 4, 'disk_format': 'raw', 'container_format': 'bare', **values}
        record = self.env.database.image_create({'owner': fakes.OWNER, 'visibility': visibility, **values})
        self.env.database.member_create(record['id'], fakes.FRIEND)
        self.env.database.member_create(record['id'], 'p-other')
        store = self.env.stores.enabled[0]
        if values['status'] != 'queued':
            store.objects[store.url(record['id'])] = b'data'
            self.env.database.image_update(record['id'], ImageChanges(add_locations=[
                {'url': store.url(record['id']), 'metadata': {}, 'status': 'active'}]))
        return record['id']

    def do(self, context, verb, visibility):
        images = gateway.images(context, self.env)
        if verb == 'list':
            images.list(ImageQuery(limit=10))
        elif verb == 'show':
            images.get(self.stored(visibility))
        elif verb == 'patch':
            image = images.get(self.stored(visibility), rule='modify_image')
            image.name = 'new'
            images.save(image)
        elif verb == 'upload':
            image = images.get(self.stored(visibility, status='queued', size=None), rule='upload_image')
            images.upload(image, fakes.Source(b'data'))
        elif verb.startswith('download'):
            image = images.get(self.stored(visibility,
                                           status='deactivated' if verb.endswith('deactivated') else 'active'))
            images.data_size(image)
            images.download(image)
        elif verb.startswith('create'):
            owner = {'owner': 'p-other'} if verb.endswith('foreign') else {}
            images.add(images.new({'visibility': visibility, **owner}))
        elif verb in ('publicize', 'communitize'):
            image = images.get(self.stored(visibility), rule='modify_image')
            image.visibility = 'public' if verb == 'publicize' else 'community'
            images.save(image)
        elif verb == 'tag':
            image = images.get(self.stored(visibility), rule='modify_image')
            image.tags.append('t')
            images.save(image)
        elif verb in ('deactivate', 'reactivate'):
            status = 'active' if verb == 'deactivate' else 'deactivated'
            image = images.get(self.stored(visibility, status=status), rule=verb)
            getattr(image, verb)()
            images.save(image)
        elif verb == 'get-locations':
            images.get(self.stored(visibility), rule='fetch_image_location')
        elif verb == 'set-locations':
            image = images.get(self.stored(visibility), rule='set_image_location')
            image.locations[0].metadata['a'] = 'b'
            images.save(image)
        elif 'member' in verb or 'answer' in verb:
            members = gateway.members(context, self.env, images.get(self.stored(visibility)))
            self.do_with_members(members, verb, 'p-other' if 'other' in verb else fakes.FRIEND)
        else:
            images.remove(images.get(self.stored(visibility)))

    def do_with_members(self, members, verb, member_id):
        if verb.startswith('list'):
            members.list()
        elif verb.startswith('show'):
            members.get(member_id)
        elif verb.startswith('add'):
            members.add(members.new('p-new'))
        elif verb.startswith('delete'):
            members.remove(members.get(member_id, rule='delete_member'))
        else:
            member = members.get(member_id, rule='modify_member')
            member.set_status('accepted')
            members.save(member)

    def outcome(self, context, verb, visibility):
        try:
            self.do(context, verb, visibility)
        except exceptions.NotFound:
            return 404
        except exceptions.Forbidden:
            return 403
        return 200

    def test_new_defaults(self):
        for verb, visibility, expected in rows():
            for column, context in callers().items():
                with self.subTest(verb=verb, visibility=visibility, caller=column):
                    self.assertEqual(expected[column], self.outcome(context, verb, visibility))

    def test_old_defaults(self):
        self.conf = fakes.make_conf(fakes.temporary_directory(self), '[oslo_policy]\nenforce_new_defaults = false\n')
        self.env = fakes.make_environment(self, self.conf)
        for verb, visibility, expected in rows():
            for column, context in callers().items():
                if column == 'Y':
                    continue
                # The rules of locations never had another default.
                like = column if (verb, column) == ('get-locations', 'S') else LIKE.get(column, column)
                with self.subTest(verb=verb, visibility=visibility, caller=column):
                    self.assertEqual(expected[like], self.outcome(context, verb, visibility))

    def test_images_of_nobody(self):
        for column, context in callers().items():
            with self.subTest(caller=column):
                record = self.env.database.image_create({'status': 'queued', 'owner': None, 'visibility': 'public'})
                images = gateway.images(context, self.env)
                if column in 'NSY':
                    self.assertRaises(exceptions.ImageNotFound, images.get, record['id'])
                    continue
                image = images.get(record['id'])
                image.name = 'mine now'
                if column == 'A':
                    images.save(image)
                else:
                    self.assertRaises(exceptions.Forbidden, images.save, image)
                    self.assertRaises(exceptions.Forbidden, images.remove, image)

    def test_anonymous_callers_change_nothing_even_with_open_rules(self):
        self.conf = fakes.make_conf(fakes.temporary_directory(self), '[oslo_policy]\nenforce_new_defaults = false\n')
        self.env = fakes.make_environment(self, self.conf)
        for verb, visibility, expected in (('list', None, 200), ('show', 'public', 200), ('download', 'public', 200),
                                           ('patch', 'public', 403), ('upload', 'public', 403),
                                           ('delete', 'public', 403),
                                           ('create', 'private', 403), ('show', 'shared', 404),
                                           ('show', 'private', 404)):
            with self.subTest(verb=verb, visibility=visibility):
                context = fakes.caller(None, (), read_only=True)
                self.assertEqual(expected, self.outcome(context, verb, visibility))

    def test_a_shared_image_is_not_shown_to_readers_by_the_rule_alone(self):
        images = gateway.images(fakes.caller(fakes.STRANGER, ('reader',)), self.env)
        self.stored('shared')
        self.assertEqual([], images.list(ImageQuery(visibility='all', limit=10)).images)

    def test_the_member_is_told_to_the_rules(self):
        image_id = self.stored('shared')
        for project, member in ((fakes.FRIEND, fakes.FRIEND), (fakes.OWNER, None), ('p-admin', None)):
            context = fakes.admin() if project == 'p-admin' else fakes.caller(project)
            self.assertEqual(member, gateway.images(context, self.env).get(image_id).member)
        self.assertIsNone(gateway.images(fakes.caller(fakes.FRIEND), self.env).get(self.stored('public')).member)

    def test_rules_do_not_let_others_change_images(self):
        """Whatever the operator's rules say, an image is changed by its owner and by administrators."""
        directory = fakes.temporary_directory(self)
        with open(directory + '/policy.yaml', 'w') as file:
            file.write('modify_image: "role:curator"\ndelete_image: "role:curator"\nupload_image: "role:curator"\n')
        self.env = fakes.make_environment(self, fakes.make_conf(directory))
        curator = fakes.caller(fakes.STRANGER, ('curator', 'reader'))
        for verb in ('patch', 'upload', 'delete'):
            with self.subTest(verb=verb):
                self.assertEqual(403, self.outcome(curator, verb, 'public'))
                self.assertEqual(404, self.outcome(curator, verb, 'private'))
                self.assertEqual(403, self.outcome(fakes.caller(), verb, 'public'))
