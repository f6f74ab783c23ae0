"""The revisions that this release knows, and which of them stand on which."""
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

import alembic.config
import alembic.script

HEADS = 'heads'
BRANCHES = ('expand', 'contract')


def config(**attributes) -> alembic.config.Config:
    """Alembic's configuration; ``attributes`` reach ``env.py`` and the revisions."""
    made = alembic.config.Config(attributes=attributes)
    made.set_main_option('script_location', str(Path(__file__).parent).replace('%', '%%'))
    return made


@functools.cache
def parents() -> Mapping[str, tuple[str, ...]]:
    """Every revision with those that it stands on: the one before it, and the expand that a contract depends on."""
    script = alembic.script.ScriptDirectory.from_config(config())
    return {revision.revision: tuple(filter(None, (revision.down_revision, revision.dependencies)))
            for revision in script.walk_revisions()}


@functools.cache
def head(branch: str) -> str:
    """The last revision of a branch, ``expand`` or ``contract``."""
    return alembic.script.ScriptDirectory.from_config(config()).get_revision(f'{branch}@head').revision


def ancestors(revisions: Iterable[str]) -> set[str]:
    """What a database that stands at ``revisions`` has behind it, themselves included."""
    found, todo = set(), list(revisions)
    while todo:
        revision = todo.pop()
        if revision not in found:
            found.add(revision)
            todo.extend(parents()[revision])
    return found


def resolve(name: str) -> str | None:
    """The revision that an operator names: an id, ``heads``, ``expand@head`` or ``contract@head``; None if unknown.

    The contract head is all there is to ``heads``, as it stands on the expand head.
    """
    if name == HEADS:
        return head('contract')
    branch, _, position = name.partition('@')
    if position == 'head' and branch in BRANCHES:
        return head(branch)
    return name if name in parents() else None
