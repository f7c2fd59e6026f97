"""
How one side says it: an adapter speaks one medium to one network party, over
whatever transport it is given.
"""
