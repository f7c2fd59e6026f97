"""
What the gateway costs, next to what rtpengine costs: C{python -m bench}.
"""
