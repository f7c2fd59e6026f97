"""
The command C{twistd e2aegw}.  It names a module and imports nothing of it,
because every C{twistd} and C{trial} on the machine reads this file.
"""

from twisted.application.service import ServiceMaker

e2aegw = ServiceMaker("e2aegw", "e2aegw.tap", "The IMS access gateway of 3GPP TS 33.328.", "e2aegw")
