"""Servers of this host as processes with pid files: started, signalled, watched. What ``glance-control`` does.

May import glance.exceptions. Must not know what the servers do, nor their options.
"""
