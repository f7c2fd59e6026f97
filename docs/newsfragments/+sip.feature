``e2aegw.sip`` reads, writes and strips ``Security-Client``, ``Security-Server`` and
``Security-Verify`` with their entries for media, and ``e2ae`` knows ``dtls-srtp``.
