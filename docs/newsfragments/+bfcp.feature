Floor control (BFCP, RFC 8855) between data channels, TCP, UDP and DTLS: messages cross to the letter,
and what UDP needs beside them stays on its leg.
