Real-time text (T.140) between data channels (RFC 8865) and RTP with redundancy
(RFC 4103), plain or under SRTP: lost text is recovered or marked, and nobody is sent
more than he takes.
