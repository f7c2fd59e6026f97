An MSRP request keeps the name of its transaction on its way through the gateway, so that traces of both sides can be compared.
