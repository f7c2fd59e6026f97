UEs that are no browsers get a certificate of RSA beside the other for MSRP and floor control, too. Their registration, files, floors and refusals are tried through the P-CSCF of the manual.
