"""
Browsers without a screen, each with one page open: Chromium is driven over the
DevTools protocol, Firefox over WebDriver BiDi.
"""

import functools
import http.server
import json
import threading
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from websockets.sync.client import ClientConnection, connect

from tests.peers.deadline import PATIENCE, until
from tests.peers.process import Process

#: What Chromium is told.  Nothing that reaches for the network, a microphone
#: that is always allowed, and 127.0.0.1 among the addresses that ICE tries.
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
)

#: The same for Firefox.
FIREFOX_PREFERENCES: dict[str, bool | int | str] = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "app.update.enabled": False,
    "browser.newtabpage.activity-stream.feeds.topsites": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.provider.google4.updateURL": "",
    "browser.safebrowsing.provider.mozilla.updateURL": "",
    "browser.safebrowsing.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "media.autoplay.blocking_policy": 0,
    "media.autoplay.default": 0,
    # Sound goes nowhere, in real time: without a sound card it would stand still.
    "media.cubeb.force_mock_context": True,
    "media.gmp-manager.url": "",
    "media.gmp-provider.enabled": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.proxy_only_if_behind_proxy": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    # Without this, what "loopback" says does not help: whoever may not use the
    # microphone may not know all addresses of the machine.
    "permissions.default.microphone": 1,
    "services.settings.server": "",
    "toolkit.telemetry.server": "",
}


#: Where an element is, once it has been brought into view.
_MIDDLE = """(() => {
  const element = document.querySelector(%s);
  element.scrollIntoView({ block: "center", behavior: "instant" });
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """
        Say nothing.
        """


class Pages:
    """
    A web server on 127.0.0.1, which browsers take for a secure context.

    @ivar url: where its folder is.
    """

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def end(self) -> None:
        """
        End it.
        """
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Browser:
    """
    What both have in common: a socket that takes numbered requests.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._socket: ClientConnection | None = None
        self._requests = 0

    def _connect(self, url: str) -> None:
        self._socket = connect(url, max_size=None, ping_interval=None, compression=None)

    def _request(self, method: str, **parameters: Any) -> dict[str, Any]:
        assert self._socket is not None
        self._requests += 1
        self._socket.send(json.dumps({"id": self._requests, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") == self._requests:
                if "error" in message:
                    raise AssertionError(f"{self._process.name}: {method}: {message}")
                result: dict[str, Any] = message["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        """
        The value of an expression in the page, or what it promises.

        @raise AssertionError: the page threw something.
        """
        raise NotImplementedError

    def click(self, selector: str) -> None:
        """
        Click on an element of the page, as a person does.
        """
        x, y = self.evaluate(_MIDDLE % json.dumps(selector))
        self._clickAt(round(x), round(y))

    def _clickAt(self, x: int, y: int) -> None:
        raise NotImplementedError

    def type(self, text: str) -> None:
        """
        Type something into what has the focus.
        """
        raise NotImplementedError

    def choose(self, selector: str, file: Path) -> None:
        """
        Choose a file where the page asks for one.
        """
        raise NotImplementedError

    def go(self, url: str) -> None:
        """
        Leave the page for another.
        """
        raise NotImplementedError

    def end(self) -> None:
        """
        End it.
        """
        if self._socket is not None:
            self._socket.close()
        self._process.end()


class Chromium(Browser):
    """
    A running Chromium with a page open.
    """

    flags: ClassVar[tuple[str, ...]] = CHROMIUM_FLAGS

    def __init__(self, directory: Path, url: str) -> None:
        profile = directory / "chromium"
        flags = (f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank")
        super().__init__(Process("chromium", ["chromium", *self.flags, *flags], directory))
        try:
            self._connect(until(lambda: self._target(profile / "DevToolsActivePort"), "Chromium listens"))
            self._request("Page.enable")
            self.go(url)
        except BaseException:
            self.end()
            raise

    def _target(self, file: Path) -> str | None:
        self._process.alive()
        if not file.exists() or "\n" not in (text := file.read_text()):
            return None
        with urllib.request.urlopen(f"http://127.0.0.1:{text.split()[0]}/json") as reply:
            targets = json.load(reply)
        return next((target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page"), None)

    def evaluate(self, expression: str) -> Any:
        """
        See L{Browser.evaluate}.
        """
        result = self._request(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            raise AssertionError(f"the page threw {json.dumps(result['exceptionDetails'])[:2000]}")
        return result["result"].get("value")

    def go(self, url: str) -> None:
        """
        See L{Browser.go}.
        """
        self._request("Page.navigate", url=url)
        until(
            lambda: self.evaluate(f"location.href === '{url}' && document.readyState === 'complete'"),
            "Chromium shows the page",
        )

    def _clickAt(self, x: int, y: int) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self._request("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """
        See L{Browser.type}.
        """
        for character in text:
            self._request("Input.dispatchKeyEvent", type="keyDown", text=character)
            self._request("Input.dispatchKeyEvent", type="keyUp")

    def choose(self, selector: str, file: Path) -> None:
        """
        See L{Browser.choose}.
        """
        root = self._request("DOM.getDocument")["root"]["nodeId"]
        node = self._request("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._request("DOM.setFileInputFiles", files=[str(file)], nodeId=node)


class EverydayChromium(Chromium):
    """
    Chromium as people have it, on a machine without a microphone.
    """

    flags = tuple(flag for flag in CHROMIUM_FLAGS if "fake" not in flag and "loopback" not in flag)


class Firefox(Browser):
    """
    A running Firefox with a page open.
    """

    preferences: ClassVar[dict[str, bool | int | str]] = FIREFOX_PREFERENCES

    def __init__(self, directory: Path, url: str) -> None:
        profile = directory / "firefox"
        profile.mkdir()
        (profile / "user.js").write_text(
            "".join(f'user_pref("{k}", {json.dumps(v)});\n' for k, v in self.preferences.items())
        )
        super().__init__(
            Process(
                "firefox",
                ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile)]
                + ["--remote-debugging-port=0"],
                directory,
                {"HOME": str(profile), "MOZ_HEADLESS": "1"},
            )
        )
        try:
            port = until(lambda: self._port(profile / "WebDriverBiDiServer.json"), "Firefox listens")
            self._connect(f"ws://127.0.0.1:{port}/session")
            self._request("session.new", capabilities={})
            self._context = self._request("browsingContext.getTree")["contexts"][0]["context"]
            self.go(url)
        except BaseException:
            self.end()
            raise

    def _port(self, file: Path) -> int | None:
        self._process.alive()
        # Written in pieces: it is whole when its last brace is there.
        if not file.exists() or not (text := file.read_text()).rstrip().endswith("}"):
            return None
        port: int = json.loads(text)["ws_port"]
        return port

    def evaluate(self, expression: str) -> Any:
        """
        See L{Browser.evaluate}.
        """
        result = self._request(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((it) => JSON.stringify(it ?? null))",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if result["type"] != "success":
            raise AssertionError(f"the page threw {json.dumps(result)[:2000]}")
        return json.loads(result["result"]["value"])

    def go(self, url: str) -> None:
        """
        See L{Browser.go}.
        """
        self._request("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def _clickAt(self, x: int, y: int) -> None:
        actions = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": actions}
        self._request("input.performActions", context=self._context, actions=[mouse])

    def type(self, text: str) -> None:
        """
        See L{Browser.type}.
        """
        actions = [{"type": kind, "value": each} for each in text for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self._request("input.performActions", context=self._context, actions=[keyboard])

    def choose(self, selector: str, file: Path) -> None:
        """
        See L{Browser.choose}.
        """
        located = self._request(
            "browsingContext.locateNodes",
            context=self._context,
            locator={"type": "css", "value": selector},
        )
        element = {"sharedId": located["nodes"][0]["sharedId"]}
        self._request("input.setFiles", context=self._context, element=element, files=[str(file)])


class EverydayFirefox(Firefox):
    """
    Firefox as people have it, who do not let pages use the microphone.
    """

    preferences: ClassVar[dict[str, bool | int | str]] = {
        name: value
        for name, value in FIREFOX_PREFERENCES.items()
        if not name.startswith(("media.navigator.", "media.peerconnection.ice.loopback"))
    } | {"permissions.default.microphone": 2}


__all__ = ["Browser", "Chromium", "EverydayChromium", "EverydayFirefox", "Firefox", "Pages"]
