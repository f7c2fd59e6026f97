"""
A full ICE agent (aioice's) in a process of its own, so that its event loop is
none of the tests'.

Arguments: the lite agent's port, username fragment and password.  It writes
its own credentials, connects, sends C{ping}, and writes what comes back.
"""

import asyncio
import sys

import aioice.ice


def loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """
    The addresses to have candidates on: a test stays on the loopback
    interface, which the library leaves out.
    """
    return ["127.0.0.1"]


async def main(port: int, ufrag: str, pwd: str) -> None:
    """
    Connect and exchange a datagram.
    """
    connection = aioice.Connection(ice_controlling=True)
    await connection.gather_candidates()
    print(connection.local_username, connection.local_password, flush=True)
    connection.remote_username, connection.remote_password = ufrag, pwd
    connection.remote_is_lite = True
    await connection.add_remote_candidate(
        aioice.Candidate("1", 1, "udp", 2130706431, "127.0.0.1", port, "host")
    )
    await connection.add_remote_candidate(None)
    await connection.connect()
    await connection.send(b"\x80ping")
    print((await connection.recv()).decode(), flush=True)
    await connection.close()


if __name__ == "__main__":
    aioice.ice.get_host_addresses = loopback
    asyncio.run(asyncio.wait_for(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]), 20))
