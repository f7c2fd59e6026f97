"""
Protocols as pure code: bytes and the time in, bytes and events out.  No
sockets, no clocks, no Twisted.
"""
