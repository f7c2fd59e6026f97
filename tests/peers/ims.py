"""
An IMS of two Kamailios: the manual's P-CSCF, and what stands for the core.
"""

import datetime
import re
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from e2aegw.sansio.certificate import Identity
from tests.peers.kamailio import Kamailio
from tests.peers.ports import freePort

HERE = Path(__file__).resolve().parent
PCSCF_EXAMPLE = HERE.parent.parent / "docs" / "kamailio" / "pcscf.cfg"
SCSCF_TEMPLATE = HERE / "scscf.cfg"


class SCSCF(Kamailio):
    """
    The registrar of the home network, and its proxy.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        super().__init__(directory, "")

    def configuration(self, nodes: str, *flags: str) -> str:
        """
        The template, with a port that is free.
        """
        return SCSCF_TEMPLATE.read_text().replace("@SIP@", str(self.sipPort))

    def got(self, method: str) -> list[str]:
        """
        The requests with that method that came from a P-CSCF or a telephone.
        """
        output = self.output().replace("\n", "\r\n")
        messages = [each.partition("end of message")[0] for each in output.split("core got: ")[1:]]
        return [each for each in messages if each.startswith(method)]


class PCSCF(Kamailio):
    """
    The manual's P-CSCF, on ports that are free.

    @ivar tlsPort: where it takes SIP over TLS.
    @ivar corePort: where it takes what comes from the core.
    """

    def __init__(self, directory: Path, nodes: str, scscf: SCSCF) -> None:
        directory.mkdir()
        self._scscf = scscf.sipPort
        self.tlsPort = freePort()
        self.corePort = freePort()
        self._directory = directory
        self._control = directory / "ctl"
        identity = Identity.generate(datetime.datetime.now(datetime.UTC))
        (directory / "pcscf.crt").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
        (directory / "pcscf.key").write_bytes(
            identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        super().__init__(directory, nodes)

    def configuration(self, nodes: str, *flags: str) -> str:
        """
        The file, with other ports, another gateway and a certificate.
        """
        text = PCSCF_EXAMPLE.read_text()
        others = {
            "127.0.0.1:5060": f"127.0.0.1:{self.sipPort}",
            "127.0.0.1:5061": f"127.0.0.1:{self.tlsPort}",
            "127.0.0.1:8088": f"127.0.0.1:{self.webSocketPort}",
            "127.0.0.1:5070": f"127.0.0.1:{self.corePort}",
            "children=4": "children=1",
            "CORE_PORT 5070": f"CORE_PORT {self.corePort}",
            "127.0.0.1:5090": f"127.0.0.1:{self._scscf}",
            "udp:127.0.0.1:2223": nodes,
            "/etc/kamailio/": f"{self._directory}/",
        }
        for old in others:
            if old not in text:
                raise AssertionError(f"{old} does not stand in {PCSCF_EXAMPLE}")
        # All at once: a new port may begin like an old one.
        text = re.sub("|".join(map(re.escape, others)), lambda found: others[found[0]], text)
        more = (
            'loadmodule "ctl.so"',
            f'modparam("ctl", "binrpc", "unix:{self._control}")',
            # What has expired is out of sight at once, but in the list of what
            # there is only for so long.
            'modparam("htable", "timer_interval", 1)',
        )
        return "\n".join([text, *more, ""])

    def has(self, table: str, key: str) -> bool:
        """
        Whether there is an entry of a hash table.
        """
        command = ["kamcmd", "-s", f"unix:{self._control}", "htable.dump", table]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return key in asked.stdout
