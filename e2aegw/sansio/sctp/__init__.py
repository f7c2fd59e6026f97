"""
SCTP (RFC 9260) as it runs over DTLS (RFC 8261) for data channels (RFC 8831).

L{e2aegw.sansio.sctp.association.Association} is the way in.  It keeps no clock
and no socket: what arrives goes into C{receive}, what shall leave comes out of
C{nextDatagram}, and what happened comes out of C{nextEvent}.
"""
