// One call: the browser's half of it, and what the gateway tells.

const LOOPBACK = /^a=candidate:\S+ \d+ udp \d+ (127\.\S+|::1) /im;
const CANDIDATE = /^a=candidate:/m;

// Milliseconds that the browser may look for addresses of its own.  The gateway
// needs none of them: they are for whoever reads the offer.
const GATHERING = 1500;
// Milliseconds without a word from the gateway after which it is believed gone.
const PATIENCE = 6000;
// Milliseconds that may pass until media can flow.
const SETUP = 20000;

export class Call {
  // What furnishes the connection is given it before anything is offered.
  // The handlers: offer(sdp), if there is something to add to it,
  // track(stream), report(report), states({ice, dtls, srtp}),
  // exchange(exchange, flags) and end(reason, isError).
  constructor(furnish, handlers) {
    this.handlers = handlers;
    this.name = null;
    this.over = false;
    this.connected = false;
    this.events = null;
    this.deaf = null;
    this.connection = new RTCPeerConnection({ iceServers: [] });
    this.connection.addEventListener("track", ({ track }) => handlers.track(new MediaStream([track])));
    for (const event of ["iceconnectionstatechange", "connectionstatechange"])
      this.connection.addEventListener(event, () => this.changed());
    furnish(this.connection);
  }

  async begin() {
    const { connection } = this;
    await connection.setLocalDescription();
    await this.gathered();
    if (this.over) return;
    const { sdp } = connection.localDescription;
    const reply = await this.post("calls", { sdp: this.handlers.offer ? this.handlers.offer(sdp) : sdp });
    this.name = reply.call;
    if (this.over) return this.tellEnd();
    this.handlers.exchange(reply.exchange, reply.flags);
    this.listen();
    await connection.setRemoteDescription({ type: "answer", sdp: reply.answer });
    if (this.refusesLoopback(reply.answer))
      throw new Error(
        "Firefox does not send media to 127.0.0.1, where the gateway is. Set media.peerconnection.ice.loopback" +
          " to true in about:config and allow the microphone, or give the gateway another address of this machine.",
      );
    this.transport()?.addEventListener("statechange", () => this.changed());
    this.late = setTimeout(() => this.connected || this.fail(), SETUP);
    this.changed();
  }

  gathered() {
    const { connection } = this;
    return new Promise((resolve) => {
      const look = () => connection.iceGatheringState === "complete" && resolve();
      connection.addEventListener("icegatheringstatechange", look);
      setTimeout(resolve, GATHERING);
      look();
    });
  }

  async post(path, value) {
    let response;
    try {
      response = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(value),
      });
    } catch {
      throw new Error("The gateway does not answer. Does it still run?");
    }
    const reply = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(reply.error || `The gateway answered ${response.status}.`);
    return reply;
  }

  listen() {
    this.events = new EventSource(`calls/${this.name}`);
    this.events.addEventListener("message", (message) => {
      clearTimeout(this.deaf);
      this.deaf = null;
      const report = JSON.parse(message.data);
      this.handlers.report(report);
      if (report.ended !== null && !this.over) this.end(`The call is over: ${report.ended}.`, true);
    });
    this.events.addEventListener("error", () => {
      if (this.over) return;
      if (this.events.readyState === EventSource.CLOSED) this.end("The gateway knows nothing of the call any more.", true);
      else this.deaf ??= setTimeout(() => this.end("The gateway does not answer any more.", true), PATIENCE);
    });
  }

  // DTLS, which is under the voice or under the channels.
  transport() {
    const [sender] = this.connection.getSenders();
    return sender ? sender.transport : this.connection.sctp?.transport;
  }

  changed() {
    if (this.over) return;
    const { connection } = this;
    const ice = connection.iceConnectionState;
    const dtls = this.transport()?.state ?? connection.connectionState;
    this.connected = connection.connectionState === "connected";
    this.handlers.states({ ice, dtls, connected: this.connected });
    if (connection.connectionState === "failed") this.fail();
  }

  // Firefox, unless told otherwise, neither has a loopback address nor sends to one.
  refusesLoopback(answer) {
    if (!("mozInnerScreenX" in window)) return false;
    return LOOPBACK.test(answer) && !LOOPBACK.test(this.connection.localDescription.sdp);
  }

  // It did not come to a conversation, or it does not go on.
  fail() {
    const { connection } = this;
    if (["connected", "completed"].includes(connection.iceConnectionState))
      return this.end("The handshake (DTLS) between the browser and the gateway failed. The gateway's log says why.", true);
    this.end(
      !CANDIDATE.test(connection.localDescription.sdp)
        ? "The browser found no network address of its own to call from. It needs some network, if only for that."
        : "The browser does not reach the gateway over UDP. Something between them, or in the browser, keeps packets away.",
      true,
    );
  }

  // What the browser counts.
  async statistics() {
    const found = {};
    for (const [, entry] of await this.connection.getStats()) {
      if (entry.kind && entry.kind !== "audio") continue;
      if (["inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "transport"].includes(entry.type))
        found[entry.type] = entry;
    }
    return found;
  }

  hangUp() {
    this.end("", false);
  }

  // Leave without a word to the page, which is going away.
  tellEnd() {
    if (this.name !== null) navigator.sendBeacon(`calls/${this.name}/end`);
  }

  end(reason, isError) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.deaf);
    clearTimeout(this.late);
    if (this.events) this.events.close();
    this.connection.close();
    this.tellEnd();
    this.handlers.end(reason, isError);
  }
}
