import unittest

from glance.db.sqlalchemy.migrations import chain

RELEASES = ('ocata', 'pike', 'queens', 'rocky', 'rocky 02', 'train', 'ussuri', 'wallaby', 'xena', 'yoga', 'zed',
            '2023_1', '2024_1', 'v1', 'v1 02', 'v1 03', 'v1 04')


def _revision(release: str, branch: str) -> str:
    name, _, number = release.partition(' ')
    return f'{name}_{branch}{number or "01"}'


class ChainTest(unittest.TestCase):
    def test_revisions_follow_each_other_as_upstream_has_them(self):
        expected = {'liberty': (), 'mitaka01': ('liberty',), 'mitaka02': ('mitaka01',)}
        before = {'expand': 'mitaka02', 'contract': 'mitaka02'}
        for release in RELEASES:
            expand, contract = _revision(release, 'expand'), _revision(release, 'contract')
            expected[expand] = (before['expand'],)
            expected[contract] = (before['contract'], expand)
            before = {'expand': expand, 'contract': contract}
        self.assertEqual(expected, chain.parents())

    def test_ids_fit_the_column_of_alembic(self):
        self.assertEqual([], [revision for revision in chain.parents() if len(revision) > 32])

    def test_heads(self):
        self.assertEqual(('v1_expand04', 'v1_contract04'), (chain.head('expand'), chain.head('contract')))

    def test_the_contract_head_has_everything_behind_it(self):
        self.assertEqual(set(chain.parents()), chain.ancestors(['v1_contract04']))

    def test_a_contract_has_its_expand_behind_it_and_no_later_one(self):
        behind = chain.ancestors(['pike_contract01'])
        self.assertIn('pike_expand01', behind)
        self.assertNotIn('queens_expand01', behind)

    def test_names_that_operators_use(self):
        for name, revision in (('heads', 'v1_contract04'), ('expand@head', 'v1_expand04'), ('mitaka02', 'mitaka02'),
                               ('contract@head', 'v1_contract04')):
            self.assertEqual(revision, chain.resolve(name))

    def test_neither_parts_of_names_nor_inventions_are_names(self):
        for name in ('liber', 'nonsense', 'nonsense@head', 'expand@base', '', 'head'):
            self.assertIsNone(chain.resolve(name), name)
