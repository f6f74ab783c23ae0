"""The commands of former releases (version 2.0 of the protocol), in terms of the DAL, for API nodes that still speak it.

Here the user's own token or identity comes with the request, so that every command checks what this caller may.
``dialect`` holds the table of commands, ``images`` and ``children`` carry them out, ``shapes`` knows the records of old.
"""
