"""
Draw the protocol stacks that the manual includes, from the tables that the
adapters are found by and that transports are built by::

    python docs/stacks.py > docs/stacks.txt
"""

from importlib.metadata import entry_points
from itertools import groupby
from typing import Any

from e2aegw.gateway.registry import GROUP

#: What there is below an adapter, from above to below, for each kind of
#: transport.
LAYERS = {
    "udp": ["UDP"],
    "udp+rtcp": ["ICE if offered", "UDP"],
    "dtls-srtp": ["keys from DTLS", "ICE if offered", "UDP"],
    "dtls": ["DTLS", "ICE if offered", "UDP"],
    "tcp": ["TCP"],
    "tls": ["TLS", "TCP"],
    "channel": ["data channel", "SCTP", "DTLS", "ICE if offered", "UDP"],
    "local": [],
}
#: What an adapter itself says, by its name.
SPOKEN = {
    "rtp": "RTP, RTCP",
    "srtp": "SRTP, SRTCP",
    "relay": "as it is",
    "msrp": "MSRP",
    "text": "T.140",
    "bfcp": "BFCP",
    "udptl": "UDPTL",
}
#: The order of the page.
ORDER = ("rtp", "srtp", "text", "msrp", "bfcp", "udptl", "relay")


def spoken(name: str, proto: str) -> str:
    """
    What an adapter says in a section of a proto.
    """
    if name == "text" and "RTP/" in proto:
        return "T.140 in SRTP" if "SAVP" in proto else "T.140 in RTP"
    return SPOKEN.get(name, name)


def stacks(name: str, protos: dict[str, str]) -> list[tuple[list[str], list[str]]]:
    """
    The stacks of an adapter: for each, the protos that have it, and what is in
    it from above to below.
    """
    layers = {proto: [spoken(name, proto), *LAYERS[kind]] for proto, kind in protos.items()}
    ordered = sorted(layers, key=lambda proto: (len(layers[proto]), layers[proto]))
    return [(sorted(alike), layer) for layer, alike in groupby(ordered, layers.__getitem__)]


def drawing(name: str, protos: dict[str, str]) -> str:
    """
    All stacks of an adapter, next to each other and on one floor.
    """
    drawn = []
    for heads, layers in stacks(name, protos):
        width = max(map(len, heads + layers))
        line = "─" * (width + 2)
        art = [f"  {head:<{width}}  " for head in heads]
        for number, layer in enumerate(layers):
            art += [f"├{line}┤" if number else f"┌{line}┐", f"│ {layer:<{width}} │"]
        drawn.append([*art, f"└{line}┘"])
    height = max(map(len, drawn))
    for art in drawn:
        art[:0] = [" " * len(art[0])] * (height - len(art))
    return "".join("   " + "  ".join(row).rstrip() + "\n" for row in zip(*drawn, strict=True))


def render() -> str:
    """
    The drawings, with a title for each adapter.
    """
    found = {entry.name: entry.load() for entry in entry_points(group=GROUP)}
    ours: dict[str, Any] = {name: found[name] for name in ORDER}
    parts = [".. Made by docs/stacks.py.\n"]
    for name, factory in ours.items():
        title = f"``{name}``"
        parts.append(f"{title}\n{'~' * len(title)}\n")
        parts.append(f"Medium: *{factory.medium}*.\n")
        parts.append(f".. code-block:: text\n\n{drawing(name, dict(factory.protos))}")
    return "\n".join(parts)


if __name__ == "__main__":
    print(render(), end="")
