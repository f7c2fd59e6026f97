``docs/examples/switchboard``: a Twisted application with a small SIP stack and the
gateway inside.
