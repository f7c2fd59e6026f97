A manual: the configuration, Kamailio, what to do when something is wrong, embedding, writing adapters, and conformance by requirement.
