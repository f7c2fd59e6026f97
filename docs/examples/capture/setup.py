"""
An adapter of one's own is a distribution with one entry point.
"""

from setuptools import setup

setup(
    name="e2aegw-capture",
    version="1.0",
    description="RTP that is written to a capture file on its way, for e2aegw",
    python_requires=">=3.11",
    install_requires=["e2aegw"],
    py_modules=["e2aegw_capture"],
    entry_points={"e2aegw.adapters": ["capture = e2aegw_capture:Factory"]},
)
