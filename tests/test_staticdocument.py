"""
The manual's page about static pipelines, held against the code.
"""

import re
import subprocess
import tempfile
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway import config
from e2aegw.gateway.pipelineend import _KEYS, SCHEMES, PipelineEnd
from e2aegw.sansio.certificate import Identity
from e2aegw.tap import Options
from tests.page import Page, rows

PAGE = Page("static.rst")
#: Stands for the page's abbreviated fingerprint.
FINGERPRINT = "sha-256 " + "\\:".join(["3A"] * 32)


def whole(text: str) -> str:
    """
    An end of the page with all of its fingerprint.
    """
    return re.sub(r"sha-256 [0-9A-F\\:]+\.\.\.", lambda found: FINGERPRINT, text)


class StaticTests(SynchronousTestCase):
    """
    The page.
    """

    def test_schemes(self) -> None:
        """
        It has every scheme and every key.
        """
        told = {
            name
            for text in (row[0] for row in rows(PAGE.section("Ends")))
            for name in re.findall("``(.*?)``", text)
        }
        self.assertEqual(told, set(SCHEMES) | _KEYS)

    def test_help(self) -> None:
        """
        So has the command's help.
        """
        self.assertLessEqual(set(SCHEMES) | _KEYS, set(re.findall(r"[\w-]+", Options.longdesc)))

    def test_examples(self) -> None:
        """
        Its examples are taken: the command's, and the file's.
        """
        command = PAGE.blocks("console")[0]
        ends = re.findall(r"--(?:access|core) '(.*?)'", command)
        self.assertEqual([PipelineEnd.parse("end", whole(end)).scheme for end in ends], ["tls", "tcp"])
        [text] = PAGE.blocks("toml")
        [table] = tomllib.loads(text)["pipeline"]
        checked = config.wired(whole(table["access"]), whole(table["core"]))
        [pipeline] = checked.pipelines
        self.assertEqual([end.scheme for end in config.ends(pipeline)], ["dtls-udptl", "udptl"])

    def test_certificate(self) -> None:
        """
        Its commands make a certificate that the gateway takes, and print the
        fingerprint that it has.
        """
        commands = PAGE.blocks("console")[4].replace("\\\n", " ").splitlines()
        with tempfile.TemporaryDirectory() as folder:
            said = ""
            for command in (line.removeprefix("$ ") for line in commands if line.startswith("$ ")):
                done = subprocess.run(
                    command, shell=True, cwd=folder, capture_output=True, text=True, check=True
                )
                said = done.stdout
            identity = Identity.fromPEM(
                (Path(folder) / "e2aegw.crt").read_bytes(), (Path(folder) / "e2aegw.key").read_bytes()
            )
        self.assertIn(identity.fingerprints[0].digest, said)
