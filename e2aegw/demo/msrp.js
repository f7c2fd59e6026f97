// MSRP (RFC 4975) in a data channel: each message of the channel is one chunk (RFC 8873).

// Bytes of a body in one chunk. Something else can be said between two chunks.
const CHUNK = 65536;
// Bytes of a file that are read at a time.
const READ = 16 * CHUNK;
// Bytes that may wait in the browser to be sent.
const WAITING = 1 << 20;
// Bytes of a chunk in which its head must end.
const MAX_HEAD = 16384;

const encoder = new TextEncoder();
// One byte, one character: for what may be anything.
const latin = new TextDecoder("latin1");
const words = new TextDecoder();

// A name that nobody guesses, and that is in no file by accident.
export function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What a message of the channel says, or null if it is not MSRP.
export function parse(data) {
  const bytes = new Uint8Array(data);
  const text = latin.decode(bytes.subarray(0, MAX_HEAD));
  const start = /^MSRP ([A-Za-z0-9.+%=-]{4,32}) ([A-Z]+|\d{3})( [^\r\n]*)?\r\n/.exec(text);
  if (!start) return null;
  const tail = `\r\n-------${start[1]}`;
  const stop = bytes.length - tail.length - 3;
  const end = latin.decode(bytes.subarray(stop));
  if (!end.startsWith(tail) || !/^[$+#]\r\n$/.test(end.slice(tail.length))) return null;
  const blank = text.indexOf("\r\n\r\n");
  const hasBody = blank >= 0 && blank < stop;
  const headers = {};
  for (const line of text.slice(start[0].length, hasBody ? blank : Math.max(stop, 0)).split("\r\n")) {
    const [, name, value] = /^([^:]+):\s*(.*)$/.exec(line) || [];
    if (name) headers[name.toLowerCase()] = value;
  }
  return {
    transaction: start[1],
    what: start[2],
    headers,
    body: hasBody ? bytes.slice(blank + 4, stop) : null,
    flag: end.at(-3),
  };
}

function format(transaction, what, lines, body, flag) {
  const head = encoder.encode([`MSRP ${transaction} ${what}`, ...lines, body ? "\r\n" : ""].join("\r\n"));
  const tail = encoder.encode(`${body ? "\r\n" : ""}-------${transaction}${flag}\r\n`);
  const bytes = new Uint8Array(head.length + (body ? body.length : 0) + tail.length);
  bytes.set(head);
  if (body) bytes.set(body, head.length);
  bytes.set(tail, bytes.length - tail.length);
  return bytes;
}

export class Session {
  // The handlers: text(text), part(message, piece), whole(message),
  // reported(name, isGood) and failed(name, code).
  constructor(channel, handlers) {
    this.channel = channel;
    this.handlers = handlers;
    this.uri = `msrps://browser.invalid:2855/${token()};dc`;
    this.path = null;
    this.messages = new Map();
    this.asked = new Map();
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = WAITING / 2;
    channel.addEventListener("message", ({ data }) => this.hear(data));
  }

  // What the offer has to say of the channel (RFC 8864, RFC 8873).
  describe(sdp) {
    const { id, label, protocol } = this.channel;
    const lines = [
      `dcmap:${id} label="${label}";subprotocol="${protocol}"`,
      ...["accept-types:*", "msrp-cema", "setup:active", `path:${this.uri}`].map((line) => `dcsa:${id} ${line}`),
    ];
    return `${sdp.trimEnd()}\r\n${lines.map((line) => `a=${line}\r\n`).join("")}`;
  }

  // The answer says where messages go.
  answered(sdp) {
    this.path = new RegExp(`^a=dcsa:${this.channel.id} path:(\\S+)`, "m").exec(sdp)?.[1] ?? null;
    if (this.path === null) throw new Error("The gateway's answer has no channel for chat.");
  }

  // The active end begins (RFC 8873 clause 5.2), with nothing in particular.
  begin() {
    this.request("SEND", [`Message-ID: ${token()}`, "Byte-Range: 1-0/0"]);
  }

  request(method, lines, body = null, flag = "$") {
    const transaction = token();
    const head = [`To-Path: ${this.path}`, `From-Path: ${this.uri}`, ...lines];
    this.channel.send(format(transaction, method, head, body, flag));
    return transaction;
  }

  // Say something; the report tells that it has arrived.
  text(name, text) {
    return this.send(name, new Blob([text]), ["Success-Report: yes"], ["Content-Type: text/plain"]);
  }

  // Send a file, telling of each chunk.
  file(name, file, progress) {
    const named = encodeURIComponent(file.name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
    const about = [
      `Content-Disposition: attachment; filename*=UTF-8''${named}; size=${file.size}`,
      `Content-Type: ${/^[\w.+-]+\/[\w.+-]+$/.test(file.type) ? file.type : "application/octet-stream"}`,
    ];
    return this.send(name, file, [], about, progress);
  }

  async send(name, blob, lines, about, progress = () => {}) {
    let at = 0;
    do {
      const read = new Uint8Array(await blob.slice(at, at + READ).arrayBuffer());
      for (let here = 0; here < read.length || at === 0; here += CHUNK) {
        await this.room();
        const body = read.subarray(here, here + CHUNK);
        const range = `Byte-Range: ${at + 1}-${at + body.length}/${blob.size}`;
        at += body.length;
        const head = [`Message-ID: ${name}`, range, ...lines, ...about];
        this.asked.set(this.request("SEND", head, body, at < blob.size ? "+" : "$"), name);
        progress(at);
        if (at === 0) break;
      }
    } while (at < blob.size);
  }

  // Wait until the browser has room for more.
  room() {
    const { channel } = this;
    if (channel.readyState !== "open") throw new Error("The channel is closed.");
    if (channel.bufferedAmount < WAITING) return null;
    return new Promise((resolve) => {
      for (const event of ["bufferedamountlow", "close"]) channel.addEventListener(event, resolve, { once: true });
    });
  }

  hear(data) {
    const heard = typeof data === "string" ? null : parse(data);
    if (heard === null) return this.channel.close();
    const name = heard.headers["message-id"];
    if (/^\d/.test(heard.what)) {
      const asked = this.asked.get(heard.transaction);
      this.asked.delete(heard.transaction);
      if (asked && heard.what !== "200") this.handlers.failed(asked, heard.what);
    } else if (heard.what === "REPORT") {
      const [, status] = (heard.headers.status || "").split(" ");
      if (status === "200") this.handlers.reported(name);
      else this.handlers.failed(name, status);
    } else if (heard.what === "SEND") this.received(heard, name);
  }

  received({ transaction, headers, body, flag }, name) {
    const known = headers["to-path"] === this.uri && headers["from-path"] === this.path;
    if (headers["failure-report"] !== "no") {
      const head = [`To-Path: ${headers["from-path"].split(" ")[0]}`, `From-Path: ${this.uri}`];
      this.channel.send(format(transaction, known ? "200 OK" : "481 No such session", head, null, "$"));
    }
    if (!known || body === null) return;
    let message = this.messages.get(name);
    if (!message) this.messages.set(name, (message = { name, headers, parts: [], size: 0 }));
    message.parts.push(body);
    message.size += body.length;
    if (flag === "#") return this.messages.delete(name);
    const isText = (message.headers["content-type"] || "").startsWith("text/plain") && !message.headers["content-disposition"];
    if (!isText) this.handlers.part(message);
    if (flag === "+") return;
    this.messages.delete(name);
    const whole = new Blob(message.parts);
    if (isText) whole.arrayBuffer().then((all) => this.handlers.text(words.decode(all)));
    else this.handlers.whole(message, whole);
  }
}
