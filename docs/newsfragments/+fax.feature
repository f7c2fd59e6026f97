Fax: T.38 in UDPTL between DTLS (RFC 7345), data channels and plain UDP, at the call's
beginning or in the place of voice; with certificates of ECDSA and RSA, and as fast as RTP.
