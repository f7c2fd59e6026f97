"""
Tests for L{e2aegw.application}.
"""
