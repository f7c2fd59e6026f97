"""
Tests of L{e2aegw.sansio.sctp}.
"""
