"""
The pieces of Kamailio's script in the manual, in a Kamailio through which calls
are made.  What a page leaves out is here; what stands there is not changed.
"""

import re
from pathlib import Path

from tests.page import DOCS, Page, literal
from tests.peers.deadline import until
from tests.peers.kamailio import Kamailio
from tests.peers.ng import NG
from tests.peers.peers import KAMAILIO, NAMESPACES, needs
from tests.peers.siptelephone import SIPTelephone
from tests.peers.test_commands import CONTROL, SIDES, MachineTestCase
from tests.peers.test_manual import ANNOUNCEMENT, PLAIN, REQUESTING, description

EXAMPLE = (DOCS / "examples" / "kamailio.cfg").read_text()
_MODULES = "".join(
    f'loadmodule "{name}.so"\n'
    for name in ["tm", "sl", "rr", "pv", "usrloc", "registrar", "textops", "siputils"]
)
_RTPENGINE = 'loadmodule "rtpengine.so"\n'
_SOCKET = 'modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:2223")\n'
_ROUTES = '[[route]]\naccess = "srtp"\ncore = "rtp"\n'
#: A browser, as far as the gateway needs to see one.
BROWSER = description(
    "UDP/TLS/RTP/SAVPF",
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:actpass",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuv",
    "a=rtcp-mux",
)

#: A proxy that has nothing but what a piece needs around it.
_SMALLEST = """\
#!KAMAILIO
listen=udp:127.0.0.1:{port}
{modules}{top}
modparam("rr", "append_fromtag", 1)
request_route {{
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{ save("location"); exit; }}
    if (is_method("BYE|CANCEL")) {{ {end} }}
    if (has_totag()) {{ loose_route(); t_relay(); exit; }}
    record_route();
    lookup("location");
    if (is_method("INVITE")) {{
        t_on_reply("ANSWER");
        {before}
        if ($fU =~ "^browser") {{ {fromBrowser} }}
        else {{ {toBrowser} }}
    }}
    t_relay();
}}
{routes}
"""
# No block is empty.
_NOTHING = "$var(nothing) = 0;"
_ANSWER = 'onreply_route[ANSWER] {{ if (has_body("application/sdp")) {{ {reply} }} }}\n'


def statements(block: str) -> list[str]:
    """
    What stands in a block below each comment.
    """
    return [each.strip() for each in re.split(r"(?m)(?:^#.*\n)+", block) if each.strip()]


class Here(Kamailio):
    """
    Kamailio with a script.
    """

    def __init__(self, directory: Path, text: str) -> None:
        self._text = text
        super().__init__(directory, "")

    def configuration(self, nodes: str, *flags: str) -> str:
        """
        The script, on a free port.
        """
        return self._text.replace("{port}", str(self.sipPort)).replace(
            "udp:127.0.0.1:5060", f"udp:127.0.0.1:{self.sipPort}"
        )


@needs(NAMESPACES, KAMAILIO)
class ScriptTests(MachineTestCase):
    """
    Calls.
    """

    def kamailio(
        self,
        *,
        top: str = _SOCKET,
        modules: str = _MODULES + _RTPENGINE,
        before: str = _NOTHING,
        fromBrowser: str = _NOTHING,
        toBrowser: str = _NOTHING,
        reply: str = "rtpengine_manage();",
        end: str = "rtpengine_delete();",
        routes: str | None = None,
    ) -> None:
        """
        Start one in which a piece stands where it belongs.
        """
        if routes is None:
            routes = _ANSWER.format(reply=reply)
        pieces = {"before": before, "fromBrowser": fromBrowser, "toBrowser": toBrowser, "end": end}
        self.proxy(_SMALLEST.format(port="{port}", modules=modules, top=top, routes=routes, **pieces))

    def proxy(self, text: str) -> None:
        """
        Start Kamailio.
        """
        directory = self.folder / "kamailio"
        directory.mkdir()
        self.running = Here(directory, text)
        self.addCleanup(self.running.end)

    def telephone(self, user: str, address: tuple[str, int] = ("127.0.0.1", 0)) -> SIPTelephone:
        """
        A telephone; it is registered if it is nowhere in particular.
        """
        telephone = SIPTelephone(self.running.sipPort, user, address=address)
        self.addCleanup(telephone.close)
        if not address[1]:
            telephone.register()
        return telephone

    def call(self, caller: SIPTelephone, offer: str, called: SIPTelephone, answer: str) -> tuple[str, str]:
        """
        One call, of which the gateway knows while it is there, and then no more.

        @return: the offer and the answer that were received.
        """
        ng = self.ng()
        caller.invite(called.uri, offer)
        offered = called.called(answer)
        answered = caller.answered()
        self.assertEqual(len(ng.command("list")["calls"]), 1)
        caller.hangUp()
        called.hungUp()
        until(lambda: ng.command("list")["calls"] == [], "the call is forgotten")
        return offered, answered

    def assertBrowserCalls(self) -> None:
        """
        A browser calls a plain telephone, and is called by it.
        """
        browser, phone = self.telephone("browser"), self.telephone("phone")
        offered, answered = self.call(browser, BROWSER, phone, PLAIN)
        self.assertIn(" RTP/AVP 0", offered)
        self.assertNotIn("a=rtcp-mux", offered)
        self.assertIn("a=fingerprint", answered)
        self.assertIn("a=ice-lite", answered)
        self.assertWebRTC(phone, browser)

    def assertWebRTC(self, phone: SIPTelephone, browser: SIPTelephone) -> None:
        """
        A plain telephone calls a browser.
        """
        offered, answered = self.call(phone, PLAIN, browser, BROWSER.replace("actpass", "active"))
        self.assertIn(" UDP/TLS/RTP/SAVPF 0", offered)
        self.assertIn("a=ice-lite", offered)
        self.assertIn("a=rtcp-mux", offered)
        self.assertIn(" RTP/AVP 0", answered)

    def test_README(self) -> None:
        """
        The README's script.
        """
        self.gateway(SIDES + CONTROL + _ROUTES)
        top, _, rest = literal("README.rst")[2].partition("\n\n")
        there, back, reply, end = statements(rest)
        self.kamailio(top=top, modules=_MODULES, fromBrowser=there, toBrowser=back, reply=reply, end=end)
        self.assertBrowserCalls()

    def test_smallest(self) -> None:
        """
        The smallest script of the page on Kamailio, with the end of a call as the
        page has it.
        """
        self.gateway(SIDES + CONTROL + _ROUTES)
        there, back, reply, _ = statements(Page("kamailio.rst").blocks("none")[0])
        ends = Page("kamailio.rst").blocks("none")[1]
        self.kamailio(fromBrowser=there, toBrowser=back, reply=reply, end=ends)
        self.assertBrowserCalls()

    def test_ng(self) -> None:
        """
        The script of the page on the ng protocol, with a gateway that has the names
        of the page's configuration.
        """
        [config] = Page("ng.rst").blocks("toml")
        for number, side in enumerate(("access", "core"), 3):
            table = f'[side.{side}]\naddress = "127.0.0.1"\nports = "{number}0000-{number}0099"\n'
            config = config.replace(f"[side.{side}]\n", table)
        self.gateway(config + _ROUTES)
        [block] = [each for each in Page("ng.rst").blocks("none") if "loadmodule" in each]
        top, _, rest = block.partition("\n\n")
        there, back = statements(rest)
        agreed = '$avp(e2ae) = "sdes-srtp";'
        self.kamailio(top=top, modules=_MODULES, before=agreed, fromBrowser=there, toBrowser=back)
        # "From a phone outside": one that protects its media.
        ue, phone = self.telephone("browser-ue"), self.telephone("phone")
        offered, answered = self.call(ue, REQUESTING, phone, PLAIN)
        self.assertIn(" RTP/AVP 0", offered)
        self.assertIn("a=3ge2ae:applied", answered)
        self.assertWebRTC(phone, self.telephone("browser"))

    def test_forking(self) -> None:
        """
        Each contact of a browser is offered ports of its own, and one answers.
        """
        self.gateway(SIDES + CONTROL + _ROUTES)
        [block] = [each for each in Page("kamailio.rst").blocks("none") if "branch_route" in each]
        self.kamailio(toBrowser='t_on_branch("MEDIA");', routes=block)
        phone, one, two = (self.telephone(name) for name in ("phone", "browser", "browser"))
        phone.invite(one.uri, PLAIN)
        offers = [each.rung() for each in (one, two)]
        ports = {re.findall(r"m=audio (\d+) UDP/TLS/RTP/SAVPF", offer)[0] for offer in offers}
        self.assertEqual(len(ports), 2)
        one.accept(BROWSER.replace("actpass", "active"))
        self.assertIn(" RTP/AVP 0", phone.answered())
        phone.hangUp()
        one.hungUp()
        ng = self.ng()
        until(lambda: ng.command("list")["calls"] == [], "the call is forgotten")

    def nodes(self, text: str) -> list[NG]:
        """
        A gateway wherever a piece says that there is one.
        """
        found = []
        for number, (host, port) in enumerate(re.findall(r"udp:([\d.]+):(\d+)", text)):
            self.network.add(host)
            config = self.folder / f"{number}.toml"
            ports = SIDES.replace("30", f"{number}3".lstrip("0")).replace("40", f"{number}4".lstrip("0"))
            config.write_text(ports + f'[control]\nng = "{host}:{port}"\n' + _ROUTES)
            self.started(
                self.start(f"gateway{number}", f"twistd -n --pidfile= e2aegw -c {config}", self.folder)
            )
            client = NG(int(port), host)
            self.addCleanup(client.close)
            found.append(client)
        return found

    def test_several(self) -> None:
        """
        Calls are spread over the gateways of the list.
        """
        [block] = [each for each in Page("kamailio.rst").blocks("none") if '=2"' in each]
        nodes = self.nodes(block)
        self.assertEqual(len(nodes), 3)
        self.kamailio(top=block, toBrowser=statements(Page("kamailio.rst").blocks("none")[0])[1])
        phone, browser = self.telephone("phone"), self.telephone("browser")
        self.assertTrue(until(lambda: self.spread(phone, browser, nodes), "each has a call"))

    def spread(self, phone: SIPTelephone, browser: SIPTelephone, nodes: list[NG]) -> bool:
        """
        One more call.

        @return: whether each gateway has one.
        """
        phone.invite(browser.uri, PLAIN)
        self.assertIn("a=ice-lite", browser.rung())
        return all(node.command("list")["calls"] for node in nodes)

    def test_sets(self) -> None:
        """
        The gateways of the second set get the call, and those of the first do not.
        """
        [top, choose] = [
            each for each in Page("kamailio.rst").blocks("none") if "==" in each or "_set(" in each
        ]
        first, second = self.nodes(top)
        back = statements(Page("kamailio.rst").blocks("none")[0])[1]
        self.kamailio(top=top, toBrowser=f"{choose}\n{back}")
        phone, browser = self.telephone("phone"), self.telephone("browser")
        self.spread(phone, browser, [])
        self.assertEqual([len(node.command("list")["calls"]) for node in (first, second)], [0, 1])

    def test_others(self) -> None:
        """
        A server that is no telephone, behind the example's proxy: a UE calls one of
        its numbers, and it calls the UE.
        """
        self.gateway(SIDES + CONTROL + _ROUTES)
        [numbers] = Page("others.rst").blocks("none")
        lookup = '    if (!lookup("location")) {\n'
        self.assertEqual(EXAMPLE.count(lookup), 1)
        self.network.add("10.0.0.20")
        self.proxy(EXAMPLE.replace(lookup, f"{numbers}\n{lookup}"))
        ue = self.telephone("ue")
        ue.register(ANNOUNCEMENT)
        server = self.telephone("4711", ("10.0.0.20", 5060))
        offered, answered = self.call(ue, REQUESTING, server, PLAIN)
        self.assertIn(" RTP/AVP 0", offered)
        self.assertIn("a=3ge2ae:applied", answered)
        offered, answered = self.call(server, PLAIN, ue, REQUESTING)
        self.assertIn("a=3ge2ae:applied", offered)
        self.assertIn(" RTP/AVP 0", answered)
