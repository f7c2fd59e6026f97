The demonstration has a floor control server over TCP, which the page asks for the floor through a data channel.
