"""
How bytes travel: UDP, ICE and DTLS.  A transport knows no medium.
"""
