// Real-time text: T.140 in a data channel (RFC 8865); the text telephone has it over RTP (RFC 4103).
import { Call } from "./call.js";

const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");

// The stream of the channel, which both sides know from the description.
const STREAM = 0;
// Characters of what came back that are shown.
const SHOWN = 400;
// T.140: the character before is taken back; a new line; not to be shown.
const ERASE = "\b";
const LINE = "\u2028";
const ORDER_MARK = "\ufeff";

// What has to be typed so that one text becomes the other.
export function keys(before, after) {
  const [was, is] = [[...before], [...after]];
  let same = 0;
  while (same < was.length && same < is.length && was[same] === is[same]) same++;
  return ERASE.repeat(was.length - same) + is.slice(same).join("").replaceAll("\n", LINE);
}

// What a screen shows when more has been typed.
export function typed(screen, text) {
  const shown = [...screen];
  for (const character of text)
    if (character === ERASE) shown.pop();
    else if (character !== ORDER_MARK) shown.push(character);
  return shown.slice(-SHOWN).join("");
}

// Lines as they are broken in a page.
function broken(text) {
  return text.replace(/\u2028|\r\n?/g, "\n");
}

export class Text {
  // The handlers: exchange(exchange, flags) and complain(text).
  constructor(handlers) {
    this.handlers = handlers;
    this.call = null;
    $("text-open").addEventListener("click", () => (this.call ? this.call.hangUp() : this.open()));
    $("text-line").addEventListener("input", () => this.say());
    this.show("closed");
  }

  // What state it is in: closed, opening or open.
  show(state) {
    this.state = state;
    $("text").dataset.state = state;
    $("text-state").textContent = state;
    $("text-open").textContent = state === "closed" ? "Open the text line" : "Close";
    $("text-line").disabled = state !== "open";
  }

  async open() {
    let channel;
    const call = new Call(
      (connection) => {
        channel = connection.createDataChannel("text", { negotiated: true, id: STREAM, protocol: "t140" });
        channel.binaryType = "arraybuffer";
      },
      {
        // The browser knows nothing of these (RFC 8864, RFC 8865).
        offer: (sdp) =>
          `${sdp}a=dcmap:${STREAM} label="text";subprotocol="t140"\r\n` +
          `a=dcsa:${STREAM} fmtp:t140 cps=30\r\na=dcsa:${STREAM} sendrecv\r\n`,
        exchange: (exchange, flags) => {
          if (!new RegExp(`^a=dcmap:${STREAM} `, "m").test(exchange.answerOut))
            throw new Error("The gateway's answer has no channel for text.");
          this.handlers.exchange(exchange, flags);
        },
        report: (report) => this.report(report),
        states: () => {},
        track: () => {},
        end: (reason, isError) => this.closed(reason, isError),
      },
    );
    this.call = call;
    this.channel = channel;
    this.sent = this.back = "";
    $("text-line").value = "";
    for (const id of ["text-there", "text-back"]) $(id).textContent = "";
    this.decoder = new TextDecoder();
    this.show("opening");
    channel.addEventListener("message", ({ data }) => this.hear(data));
    channel.addEventListener("open", () => {
      this.show("open");
      $("text-line").focus({ preventScroll: true });
    });
    channel.addEventListener("close", () => call.end("The text line is over: its data channel was closed.", true));
    try {
      await call.begin();
    } catch (error) {
      call.end(error.message, true);
    }
  }

  closed(reason, isError) {
    this.call = null;
    this.show("closed");
    if (isError) this.handlers.complain(reason);
  }

  // Each key at once; what is changed further back is taken back up to there and typed again.
  say() {
    if (this.state !== "open") return;
    const { value } = $("text-line");
    const text = keys(this.sent, value);
    this.sent = value;
    if (text) this.channel.send(text);
  }

  hear(data) {
    const text = typeof data === "string" ? data : this.decoder.decode(data, { stream: true });
    this.back = typed(this.back, text);
    this.put("text-back", this.back);
  }

  put(id, text) {
    const place = $(id);
    const said = broken(text);
    if (place.textContent === said) return;
    place.textContent = said;
    place.scrollTop = place.scrollHeight;
  }

  // How the gateway says that the call stands.
  report(report) {
    const [access] = report.legs.access;
    const [far] = report.far;
    if (!access || !far) return;
    const [core] = report.legs.core;
    this.put("text-there", far.screen);
    $("text-access").textContent = `${access.local} ↔ ${access.remote || "…"}`;
    $("text-core").textContent = core ? `${core.local} ↔ ${far.address}` : far.address;
    const repaired = far.recovered ? `, ${numbers.format(far.recovered)} repaired` : "";
    const lost = far.lost ? `, ${numbers.format(far.lost)} lost` : "";
    $("text-arrived").textContent =
      `${numbers.format(far.characters)} keys in ${numbers.format(far.packetsReceived)} packets${repaired}${lost}`;
    $("text-returned").textContent = `${numbers.format(far.packetsSent)} packets`;
    $("text-redundancy").textContent = far.redundancy ? "each key is sent three times (RED)" : "none";
  }

  close() {
    if (this.call) this.call.hangUp();
  }
}
