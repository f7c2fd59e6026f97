"""
The exceptions, told apart by whose fault they are.

Anything else that leaves a public method is a bug of this package.
"""


class GatewayError(Exception):
    """
    The base of the four.  Its text is for people and never holds a secret.
    """


class ConfigError(GatewayError):
    """
    The operator wrote something that cannot be used.  The text names the key.
    """


class NegotiationError(GatewayError):
    """
    A description, or a part of it, cannot be agreed to.
    """


class UsageError(GatewayError):
    """
    The caller broke the order of calls, or named something that is not there.
    """


class RemoteError(GatewayError):
    """
    Bytes from the network are malformed, not authentic, or not expected.

    @ivar reason: a short name, fit to be the name of a counter.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class ResourceError(GatewayError):
    """
    A limit of this gateway is reached: ports or calls.  It is nobody's
    mistake, and another gateway may still take the call.
    """
