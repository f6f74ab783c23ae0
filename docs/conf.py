"""Sphinx configuration; pages are Markdown or reStructuredText."""

import importlib.metadata

project = 'Glance'
author = 'The Glance developers'
copyright = 'The Glance developers'  # noqa: A001 - the name that Sphinx reads
try:
    release = importlib.metadata.version('glance')
except importlib.metadata.PackageNotFoundError:
    release = ''

extensions = ['myst_parser']
source_suffix = {'.md': 'markdown', '.rst': 'restructuredtext'}
exclude_patterns = ['_build', 'requirements.txt']
myst_enable_extensions = ['colon_fence', 'deflist']
myst_heading_anchors = 3
html_theme = 'alabaster'
html_theme_options = {'description': 'The image service of OpenStack', 'fixed_sidebar': True}
