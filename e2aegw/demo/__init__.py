"""
The demonstration: a page that calls through the gateway, and the far end that
it calls.
"""
