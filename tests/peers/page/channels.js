// Data channels that carry MSRP (RFC 4975, RFC 8873), written in a page: the
// tests drive it as window.desk.

const CHUNK = 48000;
const FULL = 1 << 20;
// Milliseconds without a turn that make a page a busy one.
const BUSY = 30;
const LATIN = new TextDecoder("latin1");
const UTF = new TextEncoder();

const hex = (buffer) => [...new Uint8Array(buffer)].map((one) => one.toString(16).padStart(2, "0")).join("");
const digest = async (bytes) => hex(await crypto.subtle.digest("SHA-256", bytes));
const name = () => hex(crypto.getRandomValues(new Uint8Array(10)).buffer);

function noise(size, without) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, size)));
  return without === undefined ? bytes : bytes.map((one) => (one === without ? 0 : one));
}

class Chat {
  constructor(channel, stream) {
    this.channel = channel;
    this.stream = stream;
    this.path = `msrps://page.invalid:9/${name()};dc`;
    this.remote = null;
    this.received = [];
    this.parts = new Map();
    this.answers = {};
    this.pending = new Map();
    this.trouble = [];
    this.state = "new";
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = FULL / 2;
    channel.onopen = () => { this.state = "open"; this.greet(); };
    channel.onclose = () => { this.state = "closed"; };
    channel.onmessage = (event) => {
      try {
        this.hear(typeof event.data === "string" ? UTF.encode(event.data) : new Uint8Array(event.data));
      } catch (error) { this.trouble.push(String(error)); }
    };
  }

  greet() {
    // Whoever is active begins (RFC 6135); the answer may not be there yet.
    if (this.state === "open" && this.remote && !this.greeted && this.active) {
      this.greeted = true;
      this.request(["Message-ID: " + name(), "Byte-Range: 1-0/0"], null, "$");
    }
  }

  request(headers, body, flag) {
    const transaction = name();
    const head = [`MSRP ${transaction} SEND`, `To-Path: ${this.remote}`, `From-Path: ${this.path}`, ...headers];
    const tail = `-------${transaction}${flag}\r\n`;
    if (body === null) {
      this.pending.set(transaction, Date.now());
      this.channel.send(UTF.encode(head.join("\r\n") + "\r\n" + tail));
      return;
    }
    const before = UTF.encode(head.join("\r\n") + "\r\n\r\n");
    const after = UTF.encode("\r\n" + tail);
    const whole = new Uint8Array(before.length + body.length + after.length);
    whole.set(before);
    whole.set(body, before.length);
    whole.set(after, before.length + body.length);
    this.pending.set(transaction, Date.now());
    this.channel.send(whole);
  }

  async say(bytes, type = "application/octet-stream") {
    const id = name();
    for (let at = 0; at < bytes.length || at === 0; at += CHUNK) {
      while (this.channel.bufferedAmount > FULL && this.state === "open")
        await new Promise((resolve) => {
          this.channel.onbufferedamountlow = resolve;
          this.channel.addEventListener("close", resolve, { once: true });
        });
      const end = Math.min(at + CHUNK, bytes.length);
      const range = `Byte-Range: ${at + 1}-${end}/${bytes.length}`;
      this.request(["Message-ID: " + id, range, "Content-Type: " + type], bytes.subarray(at, end),
        end === bytes.length ? "$" : "+");
    }
    return id;
  }

  hear(bytes) {
    const text = LATIN.decode(bytes.subarray(0, 8192));
    const start = /^MSRP (\S+) (\S+)/.exec(text);
    if (!start) throw new Error("not MSRP: " + text.slice(0, 60));
    const [, transaction, what] = start;
    const flag = String.fromCharCode(bytes[bytes.length - 3]);
    const tail = `-------${transaction}${flag}\r\n`;
    if (LATIN.decode(bytes.subarray(bytes.length - tail.length)) !== tail)
      throw new Error("no chunk ends with the message: " + text.slice(0, 60));
    const blank = text.indexOf("\r\n\r\n");
    const hasBody = blank >= 0 && what === "SEND" && blank < bytes.length - tail.length;
    const headers = {};
    for (const line of (hasBody ? text.slice(0, blank) : text).split("\r\n").slice(1)) {
      const colon = line.indexOf(": ");
      if (colon > 0) headers[line.slice(0, colon)] = line.slice(colon + 2);
    }
    if (headers["To-Path"] !== this.path) throw new Error("To-Path: " + headers["To-Path"]);
    if (/^[0-9]{3}$/.test(what)) {
      if (!this.pending.delete(transaction)) throw new Error("an answer to nothing");
      this.answers[what] = (this.answers[what] || 0) + 1;
      return;
    }
    if (what === "SEND" && headers["Failure-Report"] !== "no")
      this.channel.send(UTF.encode(
        `MSRP ${transaction} 200 OK\r\nTo-Path: ${headers["From-Path"].split(" ")[0]}\r\n` +
        `From-Path: ${this.path}\r\n-------${transaction}$\r\n`));
    if (!hasBody) return;
    const body = bytes.slice(blank + 4, bytes.length - tail.length - 2);
    const id = headers["Message-ID"];
    if (!this.parts.has(id)) this.parts.set(id, { list: [], size: 0 });
    const message = this.parts.get(id);
    const range = /^(\d+)-(\d+|\*)\/(\d+|\*)$/.exec(headers["Byte-Range"]);
    if (Number(range[1]) !== message.size + 1) throw new Error("a gap before " + headers["Byte-Range"]);
    if (range[2] !== "*" && Number(range[2]) !== message.size + body.length)
      throw new Error("a wrong range " + headers["Byte-Range"]);
    message.list.push(body);
    message.size += body.length;
    if (flag === "$") {
      this.parts.delete(id);
      this.received.push(message);
      if (this.waiting) this.waiting();
    } else if (flag === "#") this.parts.delete(id);
  }

  async next() {
    while (this.received.length === 0) await new Promise((resolve) => { this.waiting = resolve; });
    const message = this.received.shift();
    const whole = new Uint8Array(message.size);
    let at = 0;
    for (const part of message.list) { whole.set(part, at); at += part.length; }
    return whole;
  }
}

class Desk {
  async open(streams, { audio = false, dataFirst = false, inBand = [] } = {}) {
    // Whoever may use the microphone may know all addresses of the machine.
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    this.connection = new RTCPeerConnection({ iceServers: [] });
    this.chats = {};
    this.heard = 0;
    this.extra = {};
    if (audio && !dataFirst) this.connection.addTrack(this.microphone.getAudioTracks()[0], this.microphone);
    for (const stream of streams) this.add(stream);
    for (const protocol of inBand) this.extra[protocol] = this.inBand(protocol);
    if (audio && dataFirst) {
      // The line of channels is the first only in an offer that was made before.
      await this.connection.setLocalDescription(await this.connection.createOffer());
      this.connection.addTrack(this.microphone.getAudioTracks()[0], this.microphone);
    }
    return "open";
  }

  inBand(protocol) {
    const channel = this.connection.createDataChannel(protocol, { protocol: protocol });
    const known = { channel: channel, state: "new", received: [] };
    channel.binaryType = "arraybuffer";
    channel.onopen = () => { known.state = "open"; };
    channel.onclose = () => { known.state = "closed"; };
    channel.onmessage = (event) =>
      known.received.push(typeof event.data === "string" ? event.data : LATIN.decode(event.data));
    return known;
  }

  inBandState(protocol) {
    return this.extra[protocol].state;
  }

  add(stream) {
    const options = { negotiated: true, id: stream, protocol: "msrp" };
    this.chats[stream] = new Chat(this.connection.createDataChannel("chat" + stream, options), stream);
  }

  speak() {
    this.connection.addTrack(this.microphone.getAudioTracks()[0], this.microphone);
  }

  // What RFC 8864 wants below the line that carries channels.
  describe(sdp, setup) {
    const lines = [];
    for (const chat of Object.values(this.chats)) {
      if (chat.state === "closed") continue;
      const id = chat.stream;
      lines.push(`a=dcmap:${id} label="chat${id}";subprotocol="msrp"`, `a=dcsa:${id} accept-types:*`,
        `a=dcsa:${id} msrp-cema`, `a=dcsa:${id} setup:${setup}`, `a=dcsa:${id} path:${chat.path}`);
      chat.active = setup === "active";
    }
    const sections = sdp.split(/(?=^m=)/m);
    return sections.map((section) =>
      section.startsWith("m=application") ? section + lines.join("\r\n") + (lines.length ? "\r\n" : "") : section
    ).join("");
  }

  async gathered() {
    if (this.connection.iceGatheringState !== "complete")
      await new Promise((resolve) => {
        this.connection.addEventListener("icegatheringstatechange", () => {
          if (this.connection.iceGatheringState === "complete") resolve();
        });
      });
    return this.connection.localDescription.sdp;
  }

  async offer(setup = "active") {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    return this.describe(await this.gathered(), setup);
  }

  learn(sdp) {
    for (const [, id, path] of sdp.matchAll(/^a=dcsa:(\d+) path:(\S+)/gm)) {
      if (!(id in this.chats)) continue;
      this.chats[id].remote = path;
      this.chats[id].greet();
    }
  }

  async accept(sdp) {
    await this.connection.setRemoteDescription({ type: "answer", sdp: sdp });
    this.learn(sdp);
    return "accepted";
  }

  async answer(sdp, setup = "active") {
    await this.connection.setRemoteDescription({ type: "offer", sdp: sdp });
    // A track fits into the line that was offered.
    if (sdp.includes("m=audio")) this.speak();
    for (const [, id] of sdp.matchAll(/^a=dcmap:(\d+) /gm)) if (!(id in this.chats)) this.add(Number(id));
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    const answer = this.describe(await this.gathered(), setup);
    this.learn(sdp);
    return answer;
  }

  state() {
    return Object.fromEntries(Object.values(this.chats).map((chat) => [chat.stream, chat.state]));
  }

  trouble() {
    return Object.values(this.chats).flatMap((chat) => chat.trouble);
  }

  answers(stream) {
    return this.chats[stream].answers;
  }

  // Send so many random octets, but none of one kind, and return their hash.
  async send(stream, size, without) {
    const bytes = noise(size, without);
    const hash = await digest(bytes);
    await this.chats[stream].say(bytes);
    return hash;
  }

  // The hash of the next message.
  async next(stream) {
    return await digest(await this.chats[stream].next());
  }

  // What takes longer than anybody waits for a page: begin it, and ask.
  begin(method, ...values) {
    const job = (this.job = { over: false, value: null, trouble: null });
    this[method](...values)
      .then((value) => { job.value = value; }, (error) => { job.trouble = String(error); })
      .finally(() => { job.over = true; });
    return "begun";
  }

  outcome() {
    return this.job;
  }

  // Note when the page was busy with itself and heard nothing: when it makes
  // and joins what is large.
  async watch() {
    this.busy = [];
    for (let last = performance.now(); this.talking;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const now = performance.now();
      if (now - last > BUSY) this.busy.push([last, now]);
      last = now;
    }
  }

  // Say something every so often until told to stop; the far end says it back.
  // For as long as the page was busy with itself nobody else is to blame.
  converse(stream, pause) {
    const chat = this.chats[stream];
    const delays = [];
    this.talking = true;
    this.watch();
    this.delays = (async () => {
      while (this.talking) {
        const began = performance.now();
        await chat.say(UTF.encode("ping " + began), "text/plain");
        await chat.next();
        const ended = performance.now();
        // The watch may be waiting for its turn, too.
        await new Promise((resolve) => setTimeout(resolve, pause));
        let delay = ended - began;
        for (const [from, to] of this.busy)
          delay -= Math.max(0, Math.min(to, ended) - Math.max(from, began));
        delays.push(delay);
      }
      return delays;
    })();
    return "talking";
  }

  async delaysSoFar() {
    this.talking = false;
    return await this.delays;
  }

  close(stream) {
    this.chats[stream].channel.close();
    return "closing";
  }

  hangUp() {
    this.connection.close();
    return "closed";
  }

  async statistics() {
    const found = { received: 0, sent: 0, pairs: 0, dtls: "", role: "" };
    for (const [, entry] of await this.connection.getStats()) {
      if (entry.type === "inbound-rtp") found.received = entry.packetsReceived;
      else if (entry.type === "outbound-rtp") found.sent = entry.packetsSent;
      else if (entry.type === "transport") {
        found.dtls = entry.dtlsState;
        found.role = entry.dtlsRole || "";
        found.pairs += 1;
      }
    }
    return found;
  }
}

window.desk = new Desk();
