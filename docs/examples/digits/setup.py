"""
A filter of one's own is a distribution with one entry point.
"""

from setuptools import setup

setup(
    name="e2aegw-digits",
    version="1.0",
    description="Tells which keys the parties of a call press, for e2aegw",
    python_requires=">=3.11",
    install_requires=["e2aegw"],
    py_modules=["e2aegw_digits"],
    entry_points={"e2aegw.filters": ["digits = e2aegw_digits:Factory"]},
)
