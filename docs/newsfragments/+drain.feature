With ``limits.drain_timeout`` the gateway lets calls go on for a while when it is told to
stop, and takes no new ones.
