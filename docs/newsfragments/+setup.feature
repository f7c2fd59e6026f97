Setting up a call costs less, and a DTLS-SRTP call that nobody can add data channels to holds half the memory: OpenSSL's state goes when its keys are agreed on.
