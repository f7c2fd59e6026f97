MSRP and BFCP over TLS end at the gateway for terminals that ask for it (``a=3ge2ae``), with
certificates known by their fingerprints or signed by configured authorities; without the
request, TLS passes from end to end.
