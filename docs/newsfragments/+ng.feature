A SIP proxy drives the gateway over rtpengine's ng protocol, with Kamailio's and OpenSIPS's modules as they are.
