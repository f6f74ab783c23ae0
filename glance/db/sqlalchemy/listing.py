"""The page of a list: which images, in which order.

The statement is a union of narrow branches, each of which an index delivers in order, so that a page touches few more
rows than it shows. Statements are built once for each shape of a query; the values are parameters.
"""
import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from glance.db import validation
from glance.db.interface import FILTER_COLUMNS, Caller, Condition, ImageQuery
from glance.db.sqlalchemy.dialects import Dialect
from glance.db.sqlalchemy.models import image_members, image_properties, image_tags, images
from glance.db.visibility import Scope, scopes

SHAPES = 512        # statements that are kept
# Indexes that deliver a scope in the order of a sort key.
OWN_INDEXES = {'created_at': 'ix_images_owner_created', 'name': 'ix_images_owner_name'}
VISIBILITY_INDEXES = {'created_at': 'ix_images_vis_created', 'name': 'ix_images_hidden_name'}
ANY_INDEXES = {'created_at': 'ix_images_created', 'name': 'ix_images_hidden_name'}
SELECTIVE = frozenset(('id', 'name', 'checksum', 'os_hash_value'))      # columns that find few rows by themselves
OPERATORS = {'eq': 'eq', 'neq': 'ne', 'gt': 'gt', 'gte': 'ge', 'lt': 'lt', 'lte': 'le'}
Sort = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything of a query that changes the statement.

    ``conditions`` are columns, operators and numbers of values (None when compared with null); ``marker`` tells for
    each sort key whether its value is null.
    """

    scopes: tuple[Scope, ...]
    has_owner: bool
    any_member_status: bool
    conditions: tuple[tuple[str, str, int | None], ...]
    properties: int
    tags: int
    hidden: bool | None
    deleted: bool | None
    sort: Sort
    marker: tuple[bool, ...] | None
    limited: bool


class Pages:
    """Builds and keeps the statements that find the ids of a page."""

    def __init__(self, dialect: Dialect):
        self._dialect = dialect
        self._statement = functools.lru_cache(SHAPES)(self._build)

    def find(self, caller: Caller, query: ImageQuery, sort: Sort, marker: Mapping[str, Any] | None
             ) -> tuple[sa.Select, dict[str, Any]]:
        """Return the statement and its parameters; ``marker`` holds the sort columns of the last image before."""
        parameters: dict[str, Any] = {
            'caller': caller.owner, 'member_status': query.member_status, 'limit': query.limit}
        conditions = tuple(_bind_condition(i, condition, parameters) for i, condition in enumerate(query.conditions))
        for i, (name, value) in enumerate(query.properties):
            parameters['property%d' % i], parameters['value%d' % i] = name, value
        for i, tag in enumerate(query.tags):
            parameters['tag%d' % i] = tag
        if marker is not None:
            parameters.update(('marker_' + key, marker[key]) for key, _ in sort)
        shape = Shape(
            scopes(caller, query.visibility), caller.owner is not None, query.member_status == 'all', conditions,
            len(query.properties), len(query.tags), query.hidden, query.deleted, sort,
            None if marker is None else tuple(marker[key] is None for key, _ in sort), query.limit is not None)
        return self._statement(shape), parameters

    def _build(self, shape: Shape) -> sa.Select:
        parts = itertools.product(shape.scopes, _both(shape.deleted), _both(shape.hidden), _stretches(shape))
        branches = [self._branch(shape, *part) for part in parts]
        if len(branches) == 1:
            return branches[0]
        union = sa.union if len(shape.scopes) > 1 else sa.union_all
        union = union(*map(self._dialect.branch, branches)).subquery('page')
        page = sa.select(union.c.id).order_by(*(
            self._dialect.order(union.c[key], direction) for key, direction in shape.sort))
        return page.limit(_limit()) if shape.limited else page

    def _branch(self, shape: Shape, scope: Scope, deleted: bool, hidden: bool,
                stretch: sa.ColumnElement[bool] | None) -> sa.Select:
        """Select the ids and sort keys of one scope: ordered, limited, and ready for an index."""
        branch = sa.select(*(images.c[key] for key in dict.fromkeys(('id', *(key for key, _ in shape.sort)))))
        branch = branch.where(*self._in_scope(shape, scope), images.c.deleted == _literal(deleted),
                              images.c.os_hidden == _literal(hidden))
        if scope.who == 'member':
            branch = branch.join_from(image_members, images, image_members.c.image_id == images.c.id).distinct()
        if not deleted and shape.deleted is False:
            branch = branch.where(images.c.status != 'killed')
        branch = branch.where(*self._filters(shape))
        if stretch is not None:
            branch = branch.where(stretch)
            index = _index(shape, scope)
            if index is not None:
                branch = self._dialect.seek(branch, images, index)
        branch = branch.order_by(*(self._dialect.order(images.c[key], direction) for key, direction in shape.sort))
        return branch.limit(_limit()) if shape.limited else branch

    def _in_scope(self, shape: Shape, scope: Scope) -> list[sa.ColumnElement[bool]]:
        caller = sa.bindparam('caller', type_=sa.String)
        terms = []
        if scope.visibility is not None:
            terms.append(images.c.visibility == sa.literal_column("'%s'" % scope.visibility))
        if scope.who == 'own':
            terms.append(self._dialect.equal(images.c.owner, caller))
        elif scope.who == 'member':
            terms += [self._dialect.equal(image_members.c.member, caller), image_members.c.deleted == sa.false()]
            if not shape.any_member_status:
                terms.append(image_members.c.status == sa.bindparam('member_status', type_=sa.String))
        elif scope.who == 'usual':
            usual = images.c.visibility != sa.literal_column("'community'")
            terms.append(sa.or_(usual, self._dialect.equal(images.c.owner, caller)) if shape.has_owner else usual)
        return terms

    def _filters(self, shape: Shape) -> list[sa.ColumnElement[bool]]:
        terms = [self._condition(i, *condition) for i, condition in enumerate(shape.conditions)]
        for i in range(shape.properties):
            terms.append(sa.exists().where(
                image_properties.c.image_id == images.c.id, image_properties.c.deleted == sa.false(),
                self._equal(image_properties.c.name, 'property%d' % i),
                self._equal(image_properties.c.value, 'value%d' % i)))
        for i in range(shape.tags):
            terms.append(sa.exists().where(
                image_tags.c.image_id == images.c.id, image_tags.c.deleted == sa.false(),
                self._equal(image_tags.c.value, 'tag%d' % i)))
        return terms

    def _condition(self, number: int, column: str, op: str, count: int | None) -> sa.ColumnElement[bool]:
        if count is None:
            return images.c[column].is_(None) if op == 'eq' else images.c[column].is_not(None)
        if op == 'in':
            return sa.or_(sa.false(), *(self._compare(column, 'eq', '%d_%d' % (number, i)) for i in range(count)))
        return self._compare(column, op, str(number))

    def _compare(self, column: str, op: str, number: str) -> sa.ColumnElement[bool]:
        compared = images.c[column]
        value = sa.bindparam('c' + number, type_=compared.type)
        kind = FILTER_COLUMNS[column]
        if op in ('eq', 'neq') and kind is not int and kind is not bool:
            if kind is str:
                same = self._dialect.equal(compared, value)
            else:
                same = sa.and_(compared >= value, compared < sa.bindparam('c%s_end' % number, type_=compared.type))
            return same if op == 'eq' else sa.not_(same)
        return getattr(compared, '__%s__' % OPERATORS[op])(value)

    def _equal(self, column: sa.Column, parameter: str) -> sa.ColumnElement[bool]:
        return self._dialect.equal(column, sa.bindparam(parameter, type_=sa.String))


def _bind_condition(number: int, condition: Condition, parameters: dict[str, Any]) -> tuple[str, str, int | None]:
    """Put the values of a condition among the parameters and return its shape."""
    values = condition.value if condition.op == 'in' else (condition.value,)
    if values == (None,):
        return condition.column, condition.op, None
    for i, value in enumerate(values):
        name = 'c%d_%d' % (number, i) if condition.op == 'in' else 'c%d' % number
        parameters[name] = value
        if FILTER_COLUMNS[condition.column] not in (str, int, bool) and condition.op in ('eq', 'neq', 'in'):
            parameters[name], parameters[name + '_end'] = validation.second_of(value)
    return condition.column, condition.op, len(values)


def _index(shape: Shape, scope: Scope) -> str | None:
    """Return the index in which to seek the marker, if there is one and nothing else finds the rows faster."""
    if scope.who == 'member' or len({direction for _, direction in shape.sort}) > 1:
        return None
    if any(column in SELECTIVE for column, *_ in shape.conditions):
        return None
    indexes = OWN_INDEXES if scope.who == 'own' else VISIBILITY_INDEXES if scope.visibility else ANY_INDEXES
    return indexes.get(shape.sort[0][0])


def _stretches(shape: Shape) -> tuple[sa.ColumnElement[bool] | None, ...]:
    """Return the conditions of stretches of the order that lie after the marker, each of them one range of an index."""
    if shape.marker is None:
        return None,
    (key, direction), is_null = shape.sort[0], shape.marker[0]
    if direction == 'desc' and images.c[key].nullable and not is_null:
        return _below(shape.sort, shape.marker), images.c[key].is_(None)
    return _after(shape.sort, shape.marker),


def _after(sort: Sort, marker: tuple[bool, ...]) -> sa.ColumnElement[bool]:
    """Tell the rows after the marker; null is the smallest value of every key."""
    if not sort:
        return sa.false()
    (key, direction), is_null = sort[0], marker[0]
    column = images.c[key]
    rest = _after(sort[1:], marker[1:])
    if is_null:
        return sa.or_(column.is_not(None), rest) if direction == 'asc' else sa.and_(column.is_(None), rest)
    if direction == 'asc':
        value = _marker_value(key)
        return sa.and_(column >= value, sa.or_(column > value, rest))
    below = _below(sort, marker)
    return sa.or_(below, column.is_(None)) if column.nullable else below


def _below(sort: Sort, marker: tuple[bool, ...]) -> sa.ColumnElement[bool]:
    """Tell the rows that follow the marker in a descending order and have a value."""
    column, value = images.c[sort[0][0]], _marker_value(sort[0][0])
    return sa.and_(column <= value, sa.or_(column < value, _after(sort[1:], marker[1:])))


def _marker_value(key: str) -> sa.BindParameter:
    return sa.bindparam('marker_' + key, type_=images.c[key].type)


def _both(wanted: bool | None) -> tuple[bool, ...]:
    return (False, True) if wanted is None else (wanted,)


def _literal(value: bool) -> sa.ColumnElement[bool]:
    return sa.true() if value else sa.false()


def _limit() -> sa.BindParameter:
    return sa.bindparam('limit', type_=sa.Integer)
