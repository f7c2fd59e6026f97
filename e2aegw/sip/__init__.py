"""
What a SIP stack needs to agree with its UEs on protected media: pure
functions on header values, and no stack.
"""
