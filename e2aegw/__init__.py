"""
The access gateway of 3GPP TS 33.328: protected media at the edge of an IMS
network, plain media inside it.

Importing this package imports nothing else: L{e2aegw.sansio} must stay usable
without Twisted.
"""
