"""
How Sphinx builds the manual.
"""

from importlib.metadata import version as installed

project = "e2aegw"
author = "the e2aegw authors"
copyright = "the e2aegw authors"
version = release = installed("e2aegw")

extensions = ["myst_parser"]
exclude_patterns = ["_build", "newsfragments", "examples"]
nitpicky = True

html_theme = "furo"
html_title = f"e2aegw {version}"
html_show_sourcelink = False
html_show_copyright = False
