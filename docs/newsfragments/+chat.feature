The demonstration's page has a chat: what is written is answered, and a file comes
back with its SHA-256, through a data channel on one side of the gateway and MSRP
over TCP on the other.
