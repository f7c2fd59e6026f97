"""
The page of the manual.
"""

import datetime
from collections.abc import Sequence

from bench import machine
from bench.controllers import CONTROLLERS
from bench.cores import Cores
from bench.scenarios import CALLS, SETTLING, Effort
from bench.security import AT_ONCE
from bench.table import Table
from bench.typist import RATE, SENTENCE, SPEED

_TEXT = """\
# What it costs

What the gateway needs of a machine, next to what rtpengine needs for the same
calls. `make bench` measures both in one run, in turn, and writes this page; the
figures here are of {date}.

{targets}

{tables}
## How to read it

A figure is the median of {repetitions}, with the lowest and the highest
of them behind it. The ratio is the gateway's figure to rtpengine's, taken for each
repetition (the two are measured within seconds of each other) and then the median
of these.

A *packet* is 20 ms of G.711 (160 octets), protected with AES_CM_128_HMAC_SHA1_80 on the
access side, unless the line says otherwise, and plain on the core side. Packets are sent at
even intervals, over {calls} calls at a time. {settling} packets have gone each way through
every call before: what it costs to learn where packets come from belongs to the call.
*CPU* is the time that all threads of the program were on a core, the kernel's work for
them included, as `/proc/PID/task/*/schedstat` has it. *Delay* is from just before a
packet is sent to its arrival at the socket on the other side, by the kernel's
time stamp. Every packet that arrives is authenticated and compared with what was sent.

A *pair* is an offer with SDES, and its answer, from {controllers} controllers that each wait
for a reply before they send the next request. A *DTLS-SRTP call* is an offer, an answer, a
connectivity check and a handshake, one call at a time; active is who begins the handshake.
Both programs have the certificate that they make for themselves: an ECDSA key here, an RSA
key there.

*Real-time text* is typed into data channels in half of the calls, and into telephones with
redundancy (RFC 4103) in the other half: sentences of {sentence} characters, {speed} a second, and
pauses between them, so that it is {typed:g} a second on average. *Channel to wire* is from
where a browser's message is written to the arrival of the packet that has it first;
*wire to channel* is from where a telephone's packet is sent to the message's arrival.

*MSRP* goes from a terminal with TLS 1.3 to a party with TCP, in chunks of 64 KB of one
message, each of which is answered on both sides. It is compared with a port forward from
TLS to TCP of a few lines of Twisted, with the same load.

A *handshake* is one with a certificate at either end: of TLS 1.3 from the terminal's
connection on, and of DTLS 1.2 from its ClientHello on, {handshakes} of which are under way
at a time. Calls were set up before, and the first packet of a fax, or of G.711 with the
keys, gets through each afterwards. On one core means for each second of *CPU*.

A *file* goes through a data channel on the access side and MSRP over TCP on the core
side, in chunks of 60 KB, and its SHA-256 is compared. aiortc's figures are of an
endpoint that receives or sends as many octets in messages of that size over a data
channel, no more: it neither reads MSRP nor writes to TCP. Where packets get lost the
benchmark's own end loses and delays them.

*Memory* is the growth of the resident set, divided by the number of calls.

## With what

{machine}; {memory} of memory; {system}.

- {versions}
- rtpengine {rtpengine} from Debian, in userspace: `--table=-1 --num-threads=1`

What version managers build is often not optimized as Debian's Python is, and makes a call
cost 4 to 8 % more: `make PYTHON=/usr/bin/python3 bench` in a fresh clone takes Debian's.

{cores} Everything goes over the loopback interface, where there is no
network card to wait for, and where the kernel delivers a packet in the sender's
time: to send costs more, and to receive less, than on a network.

Where something else wants the same cores, the figures are rough, and the delays most of
all. The last table says how much did: for how long the program that was measured
waited for its core, and how far the load generator, which does not make up for what it
misses, stayed behind. When this run began, {others:.1f} processes wanted a core, on average.
"""


def page(tables: Sequence[Table], effort: Effort, cores: Cores, date: datetime.date, others: float) -> str:
    """
    Everything that was measured, and how.

    @param others: how many processes wanted a core before.
    """
    rows = [row for table in tables for row in table.rows.values() if row.reached is not None]
    missed = sum(not row.reached for row in rows)
    targets = f"All of the {len(rows)} targets were reached."
    if missed:
        targets = f"Of the {len(rows)} targets {len(rows) - missed} were reached and {missed} were missed."
    apart = "The measured program runs on one core, the load generator on another."
    together = "There was one core for the measured program and the load generator."
    count = effort.repetitions
    return _TEXT.format(
        date=f"{date:%-d %B %Y}",
        targets=targets,
        tables="".join(f"## {table.title}\n\n{table.markdown()}\n" for table in tables),
        repetitions=f"{count} repetitions" if count > 1 else "one repetition",
        calls=CALLS,
        settling=SETTLING,
        sentence=SENTENCE,
        speed=SPEED,
        typed=RATE,
        controllers=CONTROLLERS,
        handshakes=AT_ONCE,
        machine=machine.processor(),
        memory=machine.memory(),
        system=machine.system(),
        versions=machine.versions(),
        rtpengine=machine.rtpengine(),
        cores=together if cores.measured is None else apart,
        others=others,
    )
