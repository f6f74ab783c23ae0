"""Say clearly, before any test runs, which database server does not answer and how to name another."""

import os
import sys

import sqlalchemy

SERVERS = (  # what it is, variable, default, database to connect to
    ('MariaDB or MySQL', 'GLANCE_TEST_MYSQL', 'mysql+pymysql://root@127.0.0.1:3306', ''),
    ('PostgreSQL', 'GLANCE_TEST_POSTGRESQL', 'postgresql+psycopg2://postgres@127.0.0.1:5432', 'postgres'),
)


def main() -> int:
    missing = 0
    for product, variable, default, database in SERVERS:
        url = sqlalchemy.make_url(os.environ.get(variable, default)).set(database=database)
        try:
            sqlalchemy.create_engine(url).connect().close()
        except sqlalchemy.exc.OperationalError as error:
            missing += 1
            print(f'{product} does not answer at {url!r}: {error.orig}\n'
                  f'Start it there, or set {variable} to the URL of a server where databases may be created, '
                  f'for example {default}', file=sys.stderr)
    return 1 if missing else 0


if __name__ == '__main__':
    sys.exit(main())
