SCTP and the protocol that opens data channels, without sockets or clocks, for whoever embeds them.
