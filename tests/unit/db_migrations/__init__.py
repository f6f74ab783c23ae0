"""The chain of revisions, the moved rows, and the state that a database is in; on SQLite files in a scratch folder.

``history`` builds databases as past releases have left them; the functional tests use it on every engine.
"""
