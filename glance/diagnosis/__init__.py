"""What is wrong with an installation, and what to do about it: the checks of ``glance-status``.

Each check looks and changes nothing: no directory is made and no database altered. May import every room but ``cmd``;
must not be imported by any of them.
"""
