A SIP proxy drives voice and video calls between DTLS-SRTP, SDES and plain RTP through the gateway, in the ng protocol of rtpengine.
