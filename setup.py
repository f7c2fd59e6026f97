"""
What this distribution is, what it needs, and what it offers to others.
"""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="e2aegw",
    version="0.1.0",
    description="The access gateway of 3GPP TS 33.328: protected media at the edge of an IMS network",
    long_description=Path("README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="MIT",
    license_files=["LICENSE"],
    classifiers=[
        "Framework :: Twisted",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Communications :: Internet Phone",
        "Topic :: Security :: Cryptography",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    install_requires=[
        "aioice>=0.13",
        "bencode.py>=4.1",
        "cryptography>=45",
        "google-crc32c>=1.5",
        "msgspec>=0.22",
        "pylibsrtp>=1.0",
        "pyopenssl>=25.1",
        "service-identity>=24.1",
        "twisted>=25.5",
        "zope.interface>=7.2",
    ],
    extras_require={
        "dev": [
            "build",
            "codespell",
            "coverage",
            "furo",
            "hypothesis",
            "mypy",
            "mypy-zope",
            "myst-parser",
            "pydoctor",
            "ruff",
            "setuptools>=77",
            "sphinx",
            "towncrier",
            "wheel",
        ],
        # What the tests with real peers run in Python.
        "peers": ["aiortc", "websockets"],
    },
    entry_points={
        "console_scripts": ["e2aegw = e2aegw.__main__:main"],
        "e2aegw.adapters": [
            "bfcp = e2aegw.adapter.bfcp:Factory",
            "msrp = e2aegw.adapter.msrp:Factory",
            "relay = e2aegw.adapter.relay:Factory",
            "rtp = e2aegw.adapter.rtp:Factory",
            "srtp = e2aegw.adapter.srtp:Factory",
            "text = e2aegw.adapter.text:Factory",
            "udptl = e2aegw.adapter.udptl:Factory",
        ],
    },
    # A flat layout installed with "pip install -e ." gets an import hook, and
    # an import hook hides twisted/plugins from twistd.  Saying that packages
    # live in "." gets a .pth file instead.
    package_dir={"": "."},
    packages=[*find_packages(include=["e2aegw", "e2aegw.*"]), "twisted.plugins"],
    package_data={
        "e2aegw": ["py.typed"],
        "e2aegw.demo": ["*.html", "*.css", "*.js", "*.svg"],
        "e2aegw.sansio": ["*.pem"],
    },
    zip_safe=False,
)
