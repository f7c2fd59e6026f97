Data channels keep their speed where packets get lost without a queue that grows,
as on radio; ``loss_tolerant = false`` in ``[policy]`` has SCTP do as RFC 9260 says.
