"""
The yardstick of the differential test: what is a difference and what is not.
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.peers import corpus, messages
from tests.peers.exchange import Exchange
from tests.peers.meaning import differences, meaning
from tests.peers.messages import Call, Message
from tests.peers.test_differential import compare


def found(ours: str, theirs: str) -> list[str]:
    """
    The fields in which two descriptions differ.
    """
    return [difference.field for difference in differences(meaning(ours), meaning(theirs))]


class MeaningTests(SynchronousTestCase):
    """
    Two descriptions each.
    """

    def test_ownAddresses(self) -> None:
        """
        Addresses, ports, keys, and the order of lines are everybody's own.
        """
        lines = messages.crypto(1, messages.AES80), "a=ptime:20", "a=rtcp:4001"
        ours = messages.describe(messages.audio(*lines, proto="RTP/SAVP"))
        theirs = messages.describe(
            messages.audio(*reversed(lines), proto="RTP/SAVP", port=9000), host="127.0.0.9"
        ).replace("QUFB", "WFhY")
        self.assertEqual(found(ours, theirs), [])

    def test_oneChannel(self) -> None:
        """
        One channel is what nothing said means.
        """
        ours = messages.describe(messages.audio("a=rtpmap:97 AMR-WB/16000/1", formats="97"))
        self.assertEqual(found(ours, ours.replace("16000/1", "16000")), [])

    def test_level(self) -> None:
        """
        It does not matter at which level a direction or a fingerprint stands.
        """
        section = "a=inactive", messages.FINGERPRINT, "a=setup:active"
        ours = messages.describe(messages.audio(*section, proto="UDP/TLS/RTP/SAVP"))
        theirs = messages.describe(messages.audio(proto="UDP/TLS/RTP/SAVP"), session=section)
        self.assertEqual(found(ours, theirs), [])

    def test_rejected(self) -> None:
        """
        Of a rejected section nothing else counts.
        """
        ours = messages.describe(messages.audio(port=0), messages.video(port=0))
        theirs = messages.describe(
            messages.audio("a=ptime:20", port=0, proto="RTP/SAVP"), messages.video(port=0)
        )
        self.assertEqual(found(ours, theirs), [])

    def test_differences(self) -> None:
        """
        Whatever means something is seen.
        """
        plain = messages.describe(messages.audio())
        for lines, keys, field in (
            (("a=sendonly",), {}, "direction"),
            (("a=rtcp-mux",), {}, "multiplexed"),
            (("a=rtcp:4001",), {}, "rtcp"),
            (("a=ice-ufrag:x",), {}, "ice"),
            (("a=setup:active",), {}, "setup"),
            (("a=ptime:20",), {}, "crossed"),
            (("b=AS:64",), {}, "crossed"),
            (("a=mid:0",), {}, "identified"),
            ((), {"proto": "RTP/SAVP"}, "security"),
            ((), {"proto": "RTP/AVPF"}, "feedback"),
            ((), {"formats": "8 0"}, "codecs"),
            ((), {"media": "video"}, "media"),
            ((), {"port": 0}, "rejected"),
        ):
            other = messages.describe(messages.audio(*lines, **keys))
            self.assertEqual(found(plain, other), [field])
        self.assertEqual(found(plain, plain.replace("IP4 127.0.0.2", "IP6 ::2")), ["family"])
        self.assertEqual(found(plain, plain.replace("127.0.0.2", "0.0.0.0")), ["held"])
        self.assertEqual(found(plain, plain.replace("o=x", "o=y")), ["user"])
        self.assertEqual(found(plain, messages.describe(messages.audio(), messages.video())), ["streams"])

    def test_suites(self) -> None:
        """
        A suite and its tag count, its key does not.
        """
        one, two = (
            messages.describe(messages.audio(messages.crypto(tag, messages.AES80), proto="RTP/SAVP"))
            for tag in (1, 2)
        )
        self.assertEqual(found(one, two), ["suites"])


class CompareTests(SynchronousTestCase):
    """
    Two replies each.
    """

    def exchange(self, **reply: object) -> Exchange:
        """
        An exchange with this reply.
        """
        return Exchange("a call, 1: offer", Message(command="offer", sdp=messages.telephone()), dict(reply))

    def test_unintended(self) -> None:
        """
        A difference that no deviation explains is named.
        """
        ours = self.exchange(result="ok", sdp=messages.telephone())
        theirs = self.exchange(result="ok", sdp=messages.telephone().replace("a=sendrecv", "a=sendonly"))
        lines, _ = compare(ours, theirs)
        self.assertEqual(lines, ["a call, 1: offer: stream 0: direction: sendrecv against sendonly"])

    def test_outcome(self) -> None:
        """
        That one failed and the other did not is named.
        """
        ours = self.exchange(result="error", **{"error-reason": "x"})
        lines, _ = compare(ours, self.exchange(result="ok", sdp=messages.telephone()))
        self.assertEqual(lines, ["a call, 1: offer: ('error', 'x') against ('ok', None)"])

    def test_intended(self) -> None:
        """
        A difference that a deviation explains is not listed, but known.
        """
        ours = self.exchange(result="ok", sdp=messages.telephone())
        theirs = self.exchange(result="ok", sdp=messages.telephone("a=mid:0"))
        lines, intended = compare(ours, theirs)
        self.assertEqual(lines, [])
        self.assertEqual(len(intended), 1)


class CorpusTests(SynchronousTestCase):
    """
    The corpus itself.
    """

    def test_names(self) -> None:
        """
        Each call has a name of its own: it is its Call-ID.
        """
        names = [call.name for call in corpus.CALLS]
        self.assertEqual(len(names), len(set(names)))

    def test_size(self) -> None:
        """
        There are enough exchanges to be worth a comparison.
        """
        self.assertGreater(sum(len(call.messages) for call in corpus.CALLS), 60)
        self.assertTrue(all(isinstance(call, Call) for call in corpus.CALLS))

    def test_placeholders(self) -> None:
        """
        An answer's tag is the one under which the suite was offered.
        """
        filled = messages.fill("a=crypto:{tag:A} A\r\na=crypto:{tag:B} B", "a=crypto:7 A inline:x\r\n")
        self.assertEqual(filled, "a=crypto:7 A\r\na=crypto:1 B")
