"""Operations, their arguments, results and errors as messages and back."""
import dataclasses
import datetime
import unittest
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypedDict

import hypothesis
from hypothesis import strategies as st

from glance import exceptions
from glance.db import interface
from glance.db.wire import codecs, errors
from glance.db.wire.codecs import Malformed, codec, dumps, loads
from glance.db.wire.operations import OPERATIONS, Operation

MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(('_type', '_value', 'a')) | st.text(max_size=3), inner, max_size=4), max_leaves=12)
VALUES = st.recursive(JSON | st.datetimes(), lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
                      | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8)


class Row(TypedDict, total=False):
    id: str
    at: datetime.datetime | None
    more: dict[str, Any]


class Holder(Protocol):
    @property
    def owner(self) -> str | None: ...


@dataclasses.dataclass(frozen=True)
class Wish:
    names: tuple[tuple[str, int], ...] = ()
    limit: int | None = None
    marker: str | None = None
    by_number: Mapping[int, str] = dataclasses.field(default_factory=dict)


def sent(hint, value):
    """What arrives at the other end."""
    carrier = codec(hint)
    return carrier.decode(loads(dumps(carrier.encode(value) if carrier.encode else value).encode()))


class CodecTest(unittest.TestCase):
    def test_values_arrive_as_they_are(self):
        for hint, value in (
                (str, 'a\0\ud800\U0001f600'), (int, 2 ** 63), (bool, True), (float, 0.5), (type(None), None),
                (datetime.datetime, MOMENT), (datetime.datetime, datetime.datetime(1900, 1, 1)),
                (datetime.datetime | None, None), (datetime.datetime | None, MOMENT), (str | int, 5), (str | None, 'x'),
                (list[int], [1, 2]), (set[str], {'a'}), (frozenset[int], frozenset((1,))), (tuple[int, ...], (1, 2)),
                (tuple[str, datetime.datetime], ('a', MOMENT)), (dict[int, str], {5: 'a', -1: 'b'}),
                (Mapping[str, datetime.datetime], {'a': MOMENT}), (Row, {'id': 'a', 'at': MOMENT, 'more': {'k': (1, MOMENT)}}),
                (Wish, Wish((('a', 1),), 5, None, {7: 'x'})), (Wish, Wish()), (list[Row], [{'at': None}, {}]),
                (Literal['a', 'b'], 'a'), (Literal[1, 'b'], 1), (Collection[str], ['a']), (Sequence[Row], [{'at': MOMENT}])):
            with self.subTest(hint=hint):
                self.assertEqual(value, sent(hint, value))
        self.assertEqual(['a', 'b'], sent(Iterable[str], iter('ab')))
        self.assertEqual([1, 2], list(sent(Iterator[int], iter((1, 2)))))
        self.assertEqual('me', sent(Holder, type('Any', (), {'owner': 'me', 'secret': 'x'})()).owner)
        self.assertEqual(MOMENT, sent(datetime.datetime, MOMENT.replace(tzinfo=datetime.UTC)))

    @hypothesis.given(VALUES)
    def test_anything_arrives_as_it_is(self, value):
        self.assertEqual(value, sent(Any, value))

    def test_defaults_are_left_out(self):
        self.assertEqual({'limit': 5}, codec(Wish).encode(Wish(limit=5)))

    def test_what_is_not_of_the_type_is_refused(self):
        for hint, value in (
                (str, 5), (int, True), (int, 1.0), (int, '1'), (bool, 1), (float, '1'), (str | None, 5), (list[int], 'ab'),
                (list[int], [1, None]), (list[int], {}), (tuple[str, int], ['a']), (tuple[str, int], ['a', 'b']),
                (set[str], [[]]), (frozenset[Any], [{}]), (dict[int, str], {'x': 'a'}), (dict[int, str], {'1': 1}),
                (dict[int, str], {'٣': 'a'}), (dict[str, str], []), (Literal[1, 2], 3), (Literal[1, 2], []),
                (datetime.datetime, '2026-01-02'), (datetime.datetime, {'_type': 'datetime', '_value': 'x'}),
                (datetime.datetime, {'_type': 'datetime', '_value': 5}), (datetime.datetime, {'_type': 'tuple', '_value': []}),
                (datetime.datetime, {'_type': 'datetime', '_value': '2026-01-02T00:00:00', 'more': 1}),
                (datetime.datetime, {'_type': 'datetime', '_value': '0001-01-01T00:00:00+14:00'}),
                (Row, {'unknown': 1}), (Row, {'id': 5}), (Row, []), (Wish, {'limit': 'x'}), (Holder, {}),
                (Any, {'_type': 'datetime', '_value': 'never'}), (Any, {'_type': 'set', '_value': [[]]})):
            with self.subTest(hint=hint, value=value):
                self.assertRaises(Malformed, codec(hint).decode, value)

    def test_objects_that_only_look_like_tags_are_data(self):
        for value in ({'_type': 'os.system', '_value': 'true'}, {'_type': 5, '_value': 'x'}, {'_type': 'tuple', '_value': 'x'},
                      {'_type': 'datetime'}, {'_type': 'datetime', '_value': '2026-01-02', 'x': 1}):
            self.assertEqual(value, codec(Any).decode(dict(value)))

    def test_the_complaint_says_where(self):
        with self.assertRaisesRegex(Malformed, r'^names: 1: must be a list of 2$'):
            codec(Wish).decode({'names': [['a', 1], ['a']]})

    def test_text_that_is_not_json(self):
        for text in (b'', b'{', b'\xff', b'NaN', b'[Infinity]', b'1' * 5000, b'[' * 100_000):
            self.assertRaises(Malformed, loads, text)

    def test_types_that_cannot_be_carried(self):
        for hint in (bytes, object, list[object], Row | Wish, dict[tuple[int, int], str], complex):
            with self.subTest(hint=hint):
                self.assertRaises(TypeError, codec, hint)

    def test_what_json_would_bend_is_not_sent(self):
        for value in ({5: 'x'}, {'a': {None: 1}}, object(), float('nan')):
            with self.subTest(value=value):
                self.assertRaises((TypeError, ValueError), sent, Any, value)


class OperationTest(unittest.TestCase):
    def test_every_operation_of_the_interface_is_a_command(self):
        public = {name for name, member in vars(interface.Database).items() if callable(member) and not name.startswith('_')}
        self.assertEqual(public - {'close'}, OPERATIONS.keys())

    def test_an_operation_that_comes_later(self):
        class Later(Protocol):
            @interface.reads
            def rows(self, wish: Wish, *, names: Iterable[str] = ()) -> list[Row]: ...
        operation = Operation('rows', Later.rows)
        self.assertEqual((True, 'wish'), (operation.reads, operation.pages))
        arguments = operation.arguments(Wish(limit=3), names=iter('ab'))
        text = dumps(operation.encode_arguments(arguments))
        self.assertEqual({'wish': Wish(limit=3), 'names': ['a', 'b']}, operation.decode_arguments(loads(text.encode())))
        self.assertEqual([{'at': MOMENT}], operation.decode_result(loads(dumps(operation.encode_result([{'at': MOMENT}])).encode())))

    def test_arguments_are_those_of_the_signature(self):
        operation = OPERATIONS['image_get']
        for arguments in ({}, {'image_id': 'x'}, {'caller': {'is_admin': True, 'owner': None}, 'image_id': 'x', 'more': 1}, [],
                          {'caller': {'is_admin': 1, 'owner': None}, 'image_id': 'x'}, {'caller': None, 'image_id': 'x'}):
            with self.subTest(arguments=arguments):
                self.assertRaises(Malformed, operation.decode_arguments, arguments)
        self.assertRaises(TypeError, operation.arguments, 'caller')
        self.assertRaises(TypeError, operation.arguments, 'caller', 'x', nonsense=1)

    def test_readers_are_marked(self):
        readers = {name for name, operation in OPERATIONS.items() if operation.reads}
        self.assertLessEqual({'check', 'image_get', 'image_list', 'member_list', 'usage'}, readers)
        self.assertFalse({name for name in readers if name.endswith(('_create', '_update', '_remove', '_delete', '_renew'))})


class ErrorTest(unittest.TestCase):
    def test_errors_arrive_with_their_attributes(self):
        for error in (exceptions.StatusConflict('i', 'active', 'queued'), exceptions.OverLimit('storage', 5, 4, 3),
                      exceptions.ImageNotFound('x'), exceptions.DatabaseUnavailable(), exceptions.Duplicate('there'),
                      exceptions.InvalidImageStatusTransition('a', 'b'), ValueError('text'), KeyError('k')):
            with self.subTest(error=error):
                arrived = errors.decode(loads(dumps(errors.encode(error)).encode()))
                self.assertIs(type(error), type(arrived))
                self.assertEqual(vars(error), vars(arrived))
        self.assertEqual('text', str(errors.decode({'name': 'ValueError', 'val': 'text'})))

    def test_every_error_of_the_service_can_cross(self):
        for name, kind in errors.CLASSES.items():
            self.assertIs(kind, type(errors.decode({'name': name, 'val': 'x'})))

    def test_others_do_not(self):
        class Invalid(Exception):
            pass
        for error in (OSError('/etc/passwd'), Invalid('x'), SystemExit(1), MemoryError()):
            self.assertIsNone(errors.encode(error))

    def test_a_name_from_outside_is_only_looked_up(self):
        for name in ('subprocess.Popen', 'SystemExit', 'Popen', 'os.system', '__class__', 'RPCError', ''):
            self.assertIsInstance(errors.decode({'name': name, 'val': 'x'}), exceptions.RegistryFailed)

    def test_only_known_attributes_are_set(self):
        arrived = errors.decode({'name': 'StatusConflict', 'val': 'x', 'attributes': {'current': 'a', '__class__': 'b', 'args': 1}})
        self.assertEqual(({'current': 'a'}, ('x',)), (vars(arrived), arrived.args))

    def test_malformed_errors(self):
        for value in (None, [], 'x', {}, {'name': 'Invalid'}, {'name': 5, 'val': 'x'}, {'name': 'Invalid', 'val': None},
                      {'name': 'Invalid', 'val': 'x', 'attributes': []}, {'name': 'Invalid', 'val': 'x', 'attributes': {'a': []}}):
            self.assertRaises(codecs.Malformed, errors.decode, value)
