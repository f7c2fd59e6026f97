"""
The command C{e2aegw}: it tells about the gateway; C{twistd e2aegw} runs it.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Do what the command line asks.

    @param arguments: the command line without the program's name; by default
        the process's own.
    """
    parser = ArgumentParser(
        prog="e2aegw",
        description="The IMS access gateway of 3GPP TS 33.328.",
        epilog="To start it: twistd -n e2aegw -c FILE; all options: twistd e2aegw --help",
    )
    parser.add_argument("--version", action="version", version=f"e2aegw {version('e2aegw')}")
    parser.parse_args(arguments)
    parser.print_help()


if __name__ == "__main__":
    main()
