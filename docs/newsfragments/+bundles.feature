Data channels share the bundle of a browser's voice: one port, one handshake.  In
calls from the core to a browser, chats, text, floor control and fax are folded
into one line of channels.  What a browser opens in band meets the core lines that
``channels`` asks for.  A leg that is lost ends the other one.
