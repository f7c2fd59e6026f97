"""
Messages, replies, and replies that have been given already.
"""

import json
import subprocess
import sys

import bencodepy
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio import ng
from e2aegw.sansio.ng import Encoding, ReplyCache, UnderWay, parse, readable, serialize

#: Any bytes as text, in the way that the decoder reads them.
TEXTS = st.binary(max_size=12).map(lambda b: b.decode("utf-8", "surrogateescape"))
VALUES = st.recursive(
    TEXTS | st.integers(-(2**63), 2**63),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(TEXTS, v, max_size=4),
    max_leaves=10,
)


class Parsing(SynchronousTestCase):
    """
    What a datagram says.
    """

    def test_bencode(self) -> None:
        """
        A dictionary in bencode, with Kamailio's cookie.
        """
        m = parse(b"0_14615_0 d5:flagsl13:trust-addresse3:TOSi184e7:command5:offere")
        self.assertEqual((m.cookie, m.encoding, m.error), (b"0_14615_0", Encoding.BENCODE, ""))
        self.assertEqual(m.fields, {"flags": ["trust-address"], "TOS": 184, "command": "offer"})

    def test_json(self) -> None:
        """
        A dictionary in JSON.
        """
        m = parse(b'abc {"command": "ping", "x": [1, {"y": null}]}')
        self.assertEqual((m.encoding, m.error), (Encoding.JSON, ""))
        self.assertEqual(m.fields, {"command": "ping", "x": [1, {"y": None}]})

    def test_repeatedKeys(self) -> None:
        """
        Of keys that are repeated the later value wins, and lists are put
        together; keys need no order.
        """
        m = parse(b"1 d1:z1:a1:c1:b1:z1:c1:ll1:xe1:ll1:yee")
        self.assertEqual(m.fields, {"z": "c", "c": "b", "l": ["x", "y"]})

    def test_trailingNewline(self) -> None:
        """
        A newline at the end, from somebody's terminal, does no harm.
        """
        self.assertEqual(parse(b"1 d7:command4:pinge\n").error, "")

    def test_errors(self) -> None:
        """
        What cannot be read has one of five reasons.
        """
        for datagram, error in [
            (b"1 ", ng.NO_PAYLOAD),
            (b"1 x", ng.NO_FORMAT),
            (b"1  de", ng.NO_FORMAT),
            (b"1 le", ng.NO_FORMAT),
            (b"1 d", ng.NOT_BENCODE),
            (b"1 dee", ng.NOT_BENCODE),
            (b"1 d1:a", ng.NOT_BENCODE),
            (b"1 d1:ai1", ng.NOT_BENCODE),
            (b"1 d1:a9:be", ng.NOT_BENCODE),
            (b"1 di1ei1ee", ng.NOT_BENCODE),
            (b"1 d+1:a1:be", ng.NOT_BENCODE),
            (b"1 d1:a1_0:bbbbbbbbbbe", ng.NOT_BENCODE),
            (b"1 d1:ai" + b"9" * 5000 + b"ee", ng.NOT_BENCODE),
            (b"1 {", ng.NOT_JSON),
            (b"1 {} x", ng.NOT_JSON),
            (b'1 {"a":"\xff"}', ng.NOT_JSON),
            (b"1 de", ng.NO_COMMAND),
            (b"1 {}", ng.NO_COMMAND),
            (b'1 {"command": 7}', ng.NO_COMMAND),
        ]:
            self.assertEqual(parse(datagram).error, error, datagram[:40])

    def test_encodingOfErrors(self) -> None:
        """
        The reply to what is no dictionary is in bencode, and to what looks
        like JSON in JSON.
        """
        self.assertIs(parse(b"1 x").encoding, Encoding.BENCODE)
        self.assertIs(parse(b"1 {").encoding, Encoding.JSON)

    def test_noCookie(self) -> None:
        """
        What has no cookie cannot be replied to.
        """
        for datagram in (b"", b"x", b" x", b"x" * 257 + b" de"):
            self.assertRaises(RemoteError, parse, datagram)

    def test_backwards(self) -> None:
        """
        A negative length, which would send a careless decoder back to the same
        bytes for ever, ends in a process of its own within seconds.
        """
        program = "from e2aegw.sansio.ng import parse; print(parse(b'1 d1:ai1e-6:').error)"
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=True)
        self.assertEqual(run.stdout.strip().decode(), ng.NOT_BENCODE)

    def test_depth(self) -> None:
        """
        Nesting has a limit in both encodings.
        """
        self.assertEqual(parse(b"1 " + b"d1:a" * 30 + b"e" * 30).error, ng.NOT_BENCODE)
        self.assertEqual(parse(b"1 d1:a" + b"l" * 10000).error, ng.NOT_BENCODE)
        self.assertEqual(parse(b"1 " + b'{"a":' * 20000).error, ng.NOT_JSON)
        self.assertEqual(parse(b"1 " + b"d1:a" * 10 + b"i1e" + b"e" * 10).error, ng.NO_COMMAND)

    def test_secret(self) -> None:
        """
        The dictionary, which has keys in it, is not in the repr.
        """
        self.assertNotIn("inline", repr(parse(b"1 d3:sdp6:inlinee")))

    @settings(deadline=None, max_examples=300)
    @given(st.binary(max_size=120))
    def test_anyBytes(self, data: bytes) -> None:
        """
        Any bytes are read, or have no cookie.
        """
        for datagram in (data, b"1 d" + data, b"1 {" + data, b"1 d1:a" + data + b"e"):
            try:
                parse(datagram)
            except RemoteError as e:
                self.assertIn(e.reason, ("no cookie", "cookie too long"))

    @settings(deadline=None, max_examples=200)
    @given(st.text("dlie0123456789:-+ ab", max_size=60))
    def test_almostBencode(self, text: str) -> None:
        """
        Anything made of bencode's letters is read in no time.
        """
        parse(b"1 d" + text.encode())

    @settings(deadline=None, max_examples=200)
    @given(st.dictionaries(TEXTS, VALUES, max_size=5))
    def test_asTheLibrary(self, fields: ng.Fields) -> None:
        """
        What is written is what the library reads, and reads back the same.
        """
        data = serialize(b"1", Encoding.BENCODE, fields)
        self.assertEqual(parse(data).fields, fields)
        decode = bencodepy.BencodeDecoder().decode
        self.assertEqual(bencodepy.encode(decode(data[2:])), bencodepy.encode(_asBytes(fields)))


def _asBytes(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [_asBytes(v) for v in value]
    if isinstance(value, dict):
        return {_asBytes(k): _asBytes(v) for k, v in value.items()}
    return value


class Serializing(SynchronousTestCase):
    """
    How a reply is written.
    """

    REPLY: ng.Fields = {"result": "ok", "n": -3, "l": [1, "é"], "d": {"k": {}}}  # noqa: RUF012

    def test_bencode(self) -> None:
        """
        Keys keep their order, and text is UTF-8.
        """
        self.assertEqual(
            serialize(b"7", Encoding.BENCODE, self.REPLY),
            "7 d6:result2:ok1:ni-3e1:lli1e2:ée1:dd1:kdeee".encode(),
        )

    def test_json(self) -> None:
        """
        JSON means the same.
        """
        data = serialize(b"7", Encoding.JSON, self.REPLY)
        self.assertEqual((data[:2], json.loads(data[2:])), (b"7 ", self.REPLY))

    def test_bytes(self) -> None:
        """
        Bytes that are no UTF-8 come back as they were in bencode, and become
        question marks in JSON.
        """
        fields = parse(b"1 d1:t2:a\xffe").fields
        self.assertEqual(serialize(b"1", Encoding.BENCODE, fields), b"1 d1:t2:a\xffe")
        reply = {"tags": {fields["t"]: [fields["t"], 1]}}
        self.assertEqual(serialize(b"1", Encoding.JSON, reply), b'1 {"tags":{"a?":["a?",1]}}')

    def test_readable(self) -> None:
        """
        Text for the log has no control characters, no broken bytes and an end.
        """
        self.assertEqual(readable("a\nb\x1b\udcffé" + "x" * 99, 8), "a?b??éxx")


class Caching(SynchronousTestCase):
    """
    Replies that have been given already.
    """

    def test_stored(self) -> None:
        """
        A reply is kept for 30 seconds at least and 60 at most.
        """
        cache = ReplyCache()
        for start in (0.0, 29.0):
            self.assertIsNone(cache.begin(start, start))
            self.assertEqual(cache.finish(start, b"reply", start), 1)
        self.assertEqual(cache.begin(0.0, 30.0), b"reply")
        self.assertEqual(cache.begin(29.0, 59.0), b"reply")
        self.assertIsNone(cache.begin(0.0, 60.0))
        self.assertEqual(len(cache), 0)

    def test_longSilence(self) -> None:
        """
        After a long silence nothing is left.
        """
        cache = ReplyCache()
        cache.begin(1, 0.0)
        cache.finish(1, b"reply", 0.0)
        self.assertIsNone(cache.begin(1, 1000.0))

    def test_underWay(self) -> None:
        """
        Repetitions of a request under way are counted, up to a limit, and get
        replies.
        """
        cache = ReplyCache()
        cache.begin(1, 0.0)
        for _ in range(3):
            self.assertIs(cache.begin(1, 45.0), UnderWay.UNDER_WAY)
        self.assertEqual(cache.finish(1, b"reply", 100.0), 4)
        cache.begin(2, 100.0)
        for _ in range(100):
            cache.begin(2, 100.0)
        self.assertEqual(cache.finish(2, b"reply", 100.0), 1 + ng.MAX_REPETITIONS)

    def test_manyUnderWay(self) -> None:
        """
        Of very many requests under way, the last ones' repetitions are not
        recognised; but their replies are stored.
        """
        cache = ReplyCache()
        for n in range(ng.MAX_UNDER_WAY + 1):
            self.assertIsNone(cache.begin(n, 0.0))
        self.assertIs(cache.begin(0, 0.0), UnderWay.UNDER_WAY)
        self.assertIsNone(cache.begin(ng.MAX_UNDER_WAY, 0.0))
        self.assertEqual(cache.finish(ng.MAX_UNDER_WAY, b"reply", 0.0), 1)
        self.assertEqual(cache.begin(ng.MAX_UNDER_WAY, 0.0), b"reply")

    def test_manyReplies(self) -> None:
        """
        The number of replies is limited; the youngest are kept.
        """
        cache = ReplyCache()
        for n in range(3 * ng.MAX_REPLIES):
            cache.begin(n, 1.0)
            cache.finish(n, b"reply", 1.0)
        self.assertLessEqual(len(cache), 2 * ng.MAX_REPLIES)
        self.assertEqual(cache.begin(3 * ng.MAX_REPLIES - 1, 1.0), b"reply")

    def test_longReplies(self) -> None:
        """
        The bytes of replies are limited.
        """
        cache = ReplyCache()
        reply = bytes(60000)
        for n in range(2 * ng.MAX_REPLY_BYTES // len(reply) + 10):
            cache.begin(n, 1.0)
            cache.finish(n, reply, 1.0)
        self.assertLessEqual(len(cache) * len(reply), 2 * ng.MAX_REPLY_BYTES)

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 40)), max_size=30))
    def test_neverTwice(self, requests: list[tuple[int, float]]) -> None:
        """
        No request is carried out twice within 30 seconds.
        """
        cache = ReplyCache()
        now = 0.0
        done: dict[int, float] = {}
        for key, pause in requests:
            now += pause
            stored = cache.begin(key, now)
            if stored is None:
                self.assertGreaterEqual(now - done.get(key, -1000.0), ng.GENERATION)
                cache.finish(key, b"%d" % key, now)
                done[key] = now
            else:
                self.assertEqual(stored, b"%d" % key)
