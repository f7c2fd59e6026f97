``make deb`` builds a Debian package with a hardened systemd service; a
``Dockerfile`` makes an image.
