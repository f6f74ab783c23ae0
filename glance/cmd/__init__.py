"""The programs, one module each: read the options, put the parts together, call one function, return an exit code.

May import every other room; no room imports this one. Must not know how anything is done: a rule that two programs need
lives in the room that it is about.
"""
