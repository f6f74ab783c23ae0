"""The DAL over a relational database: SQLite, MariaDB/MySQL, PostgreSQL.

``models`` are the tables, ``engine`` the connections, ``database`` the class that puts the operations together. It may
import ``glance.db`` and ``glance.exceptions``; SQL is spoken here and nowhere else.
"""
