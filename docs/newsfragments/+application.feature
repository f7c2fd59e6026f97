An embedding application can be the core side itself: ``e2aegw.application`` gives
what a party says to a Twisted protocol, packets of RTP, whole MSRP
messages, or real-time text.
