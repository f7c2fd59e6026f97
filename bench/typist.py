"""
How people type.
"""

#: RFC 4103 clause 9: characters a second over a whole conversation, on average.
RATE = 2.0
#: Characters in a sentence, and in a second while it is typed, by somebody who is
#: good at it.  Then they read.
SENTENCE, SPEED = 40, 6.7
