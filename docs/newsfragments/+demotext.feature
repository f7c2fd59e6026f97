The demonstration's page has a line of real-time text, which a text telephone over RTP reads and types back, and shows what was said of each of its calls.
