The ng key ``msrp`` says for a call whether MSRP is relayed where both parties have CEMA
(``relay``), or bridged (``bridge``); the documentation of the adapter's ``relay`` had the
direction of ``auto`` the wrong way round.
