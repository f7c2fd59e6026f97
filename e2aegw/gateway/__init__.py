"""
Who meets whom, and when: configuration, ports, sessions, control.
"""
