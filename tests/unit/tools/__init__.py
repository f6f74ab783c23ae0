"""Tests of the scripts in the folder tools, which are no package: they are loaded by path."""
