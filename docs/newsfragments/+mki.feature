A party may put a master key identifier (RFC 4568 clause 6.1) into its SRTP packets.
