"""
Write the table of ng flags that the manual includes, from the one that the
gateway reads messages by::

    python docs/flags.py > docs/ng-flags.txt
"""

from e2aegw.sansio.ngflags import FLAGS, Flag, Place, Policy

PLACES = {Place.KEY: "key", Place.FLAG: "flag", Place.EITHER: "key or flag"}


def row(flag: Flag) -> str:
    """
    One flag, as a row of a list-table.
    """
    names = ", ".join(f"``{name}``" for name in flag.names)
    place = PLACES[flag.place]
    if flag.listed and flag.place is Place.KEY:
        place = f"key, or flag ``{flag.names[0]}-...``"
    elif flag.listed:
        place += f", or flag ``{flag.names[0]}-...``"
    return f"   * - {names}\n     - {place}\n     - {flag.values or '|nbsp|'}\n     - {flag.about}\n"


def table(policy: Policy) -> str:
    """
    All flags of one kind.
    """
    rows = "".join(row(flag) for flag in FLAGS if flag.policy is policy)
    head = "   * - Name\n     - Place\n     - Values\n     - What it does\n"
    return f".. list-table::\n   :header-rows: 1\n   :widths: 25 15 25 35\n\n{head}{rows}"


def render() -> str:
    """
    The three tables.
    """
    titles = {
        Policy.DONE: "Flags that have an effect",
        Policy.IGNORED: "Flags that are accepted",
        Policy.REFUSED: "Flags that get a warning",
    }
    parts = [".. Made by docs/flags.py.\n\n.. |nbsp| unicode:: 0xA0\n"]
    for policy, title in titles.items():
        parts.append(f"{title}\n{'~' * len(title)}\n\n{table(policy)}")
    return "\n".join(parts)


if __name__ == "__main__":
    print(render(), end="")
