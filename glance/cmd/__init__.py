"""One module per console script: parse the options, build the parts, call one function, return the exit code.

It may import every other room; nothing imports it.
"""
