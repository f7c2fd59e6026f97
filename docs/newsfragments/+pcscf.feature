A P-CSCF for Kamailio 5.6: registration with ``mediasec``, and calls of UEs over UDP, TCP
and TLS and of browsers.
