WebRTC data channels: each ``dcmap`` of a browser's offer becomes a line of its own
for the core (RFC 8864), and MSRP crosses from channels to TCP.
