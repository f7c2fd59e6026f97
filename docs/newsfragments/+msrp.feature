MSRP (RFC 4975) between TCP, TLS and data channels (RFC 8873): the gateway is
the end of each hop, or, where both parties have CEMA (RFC 6714), a piece of the
way.
