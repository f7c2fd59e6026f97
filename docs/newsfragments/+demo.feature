A page, started by ``make demo``, that calls through the gateway and shows what it translates.
