The manual has a first call in five minutes, how it works with drawings of every
protocol stack, security, servers beside the gateway, and troubleshooting from the
symptoms of chat, files, text and floor control.
