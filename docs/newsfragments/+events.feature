What happens in calls reaches the controller: in ``query``, and as lines of JSON over UDP
or TCP (``[events]``), with Call-ID, tags, side, line and reason.  New events are
``MediaStopped`` and ``ChannelOpened``.
