// Floor control: BFCP (RFC 8855) in a data channel; the floor control server hears it over TCP.
import { Call } from "./call.js";

const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");

// The stream of the channel, which both sides know from the description.
const STREAM = 0;

const FLOOR_REQUEST = 1;
const FLOOR_RELEASE = 2;
const HELLO = 11;
const NAMES = {
  1: "FloorRequest",
  2: "FloorRelease",
  4: "FloorRequestStatus",
  11: "Hello",
  12: "HelloAck",
  13: "Error",
};
const STATES = ["", "Pending", "Accepted", "Granted", "Denied", "Cancelled", "Released", "Revoked"];
const FLOOR_ID = 2;
const FLOOR_REQUEST_ID = 3;
const REQUEST_STATUS = 5;
const ERROR_CODE = 6;
const FLOOR_REQUEST_INFORMATION = 15;
const OVERALL_REQUEST_STATUS = 18;

// The value of an attribute in the channel's part of a description.
function told(sdp, name) {
  const [, value] = new RegExp(`^a=dcsa:${STREAM} ${name}:(\\d+)`, "m").exec(sdp) || [];
  return Number(value || 0);
}

// The attributes of a message, or of a grouped attribute: [type, DataView] each (clause 5.2).
function* attributes(view, at) {
  while (at + 2 <= view.byteLength) {
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > view.byteLength) return;
    yield [view.getUint8(at) >> 1, new DataView(view.buffer, view.byteOffset + at + 2, length - 2)];
    at += (length + 3) & ~3;
  }
}

function find(view, at, type) {
  for (const [each, contents] of attributes(view, at)) if (each === type) return contents;
  return null;
}

function element(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

export class Floor {
  // The handlers: exchange(exchange, flags) and complain(text).
  constructor(handlers) {
    this.handlers = handlers;
    this.call = null;
    $("floor-open").addEventListener("click", () => (this.call ? this.call.hangUp() : this.open()));
    $("floor-ask").addEventListener("click", () => (this.request ? this.release() : this.ask()));
    this.show("closed");
  }

  // What state it is in: closed, opening, open, waiting or granted.
  show(state) {
    this.state = state;
    $("floor").dataset.state = state;
    $("floor-state").textContent = { open: "free", waiting: "asked for", granted: "yours" }[state] || state;
    $("floor-open").textContent = state === "closed" ? "Join the conference" : "Leave";
    $("floor-ask").textContent = { waiting: "Never mind", granted: "Give it back" }[state] || "Ask for the floor";
    $("floor-ask").disabled = ["closed", "opening"].includes(state);
  }

  async open() {
    let channel;
    this.request = this.transaction = 0;
    const call = new Call(
      (connection) => {
        channel = connection.createDataChannel("floor", { negotiated: true, id: STREAM, protocol: "bfcp" });
        channel.binaryType = "arraybuffer";
      },
      {
        // The browser knows nothing of these (RFC 8864).
        offer: (sdp) =>
          `${sdp}a=dcmap:${STREAM} label="floor";subprotocol="bfcp"\r\n` +
          ["floorctrl:c-only", "bfcpver:1", "setup:actpass", "connection:new"]
            .map((line) => `a=dcsa:${STREAM} ${line}\r\n`)
            .join(""),
        exchange: (exchange, flags) => {
          [this.conference, this.user, this.floor] = ["confid", "userid", "floorid"].map((name) =>
            told(exchange.answerOut, name),
          );
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
    this.show("opening");
    $("floor-log").replaceChildren();
    channel.addEventListener("message", ({ data }) => this.hear(data));
    channel.addEventListener("open", () => this.say(HELLO));
    channel.addEventListener("close", () => call.end("The data channel for floor control was closed.", true));
    try {
      await call.begin();
    } catch (error) {
      call.end(error.message, true);
    }
  }

  closed(reason, isError) {
    this.call = null;
    this.request = 0;
    this.show("closed");
    if (isError) this.handlers.complain(reason);
  }

  ask() {
    this.say(FLOOR_REQUEST, FLOOR_ID, this.floor);
  }

  release() {
    this.say(FLOOR_RELEASE, FLOOR_REQUEST_ID, this.request);
  }

  // A message with one attribute, which is a number, or with none (clause 5.1).
  say(primitive, type, value) {
    const units = type ? 1 : 0;
    const view = new DataView(new ArrayBuffer(12 + 4 * units));
    view.setUint8(0, 0x20);
    view.setUint8(1, primitive);
    view.setUint16(2, units);
    view.setUint32(4, this.conference);
    view.setUint16(8, (this.transaction = (this.transaction % 0xffff) + 1));
    view.setUint16(10, this.user);
    if (type) {
      view.setUint8(12, (type << 1) | 1);
      view.setUint8(13, 4);
      view.setUint16(14, value);
    }
    this.channel.send(view.buffer);
    this.tell("mine", NAMES[primitive]);
  }

  hear(data) {
    const view = new DataView(data);
    if (view.byteLength < 12) return;
    const primitive = view.getUint8(1);
    const error = find(view, 12, ERROR_CODE);
    const information = find(view, 12, FLOOR_REQUEST_INFORMATION);
    const overall = information && find(information, 2, OVERALL_REQUEST_STATUS);
    const status = overall && find(overall, 2, REQUEST_STATUS);
    const state = status ? STATES[status.getUint8(0)] : "";
    const position = status && status.getUint8(1) ? `, number ${status.getUint8(1)} in the queue` : "";
    const code = error ? ` ${error.getUint8(0)}` : "";
    this.tell("theirs", `${NAMES[primitive] || primitive}${state && `: ${state}`}${position}${code}`);
    if (primitive === 12) this.show("open");
    if (!state) return;
    const going = ["Pending", "Accepted", "Granted"].includes(state);
    this.request = going ? information.getUint16(0) : 0;
    this.show(state === "Granted" ? "granted" : going ? "waiting" : "open");
  }

  tell(whose, text) {
    const log = $("floor-log");
    log.append(element("li", whose, text));
    log.scrollTop = log.scrollHeight;
  }

  // How the gateway says that the call stands.
  report(report) {
    const [access] = report.legs.access;
    const [far] = report.far;
    if (!access || !far) return;
    $("floor-access").textContent = `${access.local} ↔ ${access.remote || "…"}`;
    $("floor-core").textContent = far.remote ? `${far.remote} ↔ ${far.address}` : "not connected yet";
    $("floor-there").textContent = `${numbers.format(far.messagesReceived)} messages`;
    $("floor-back").textContent = `${numbers.format(far.messagesSent)} messages`;
  }

  close() {
    if (this.call) this.call.hangUp();
  }
}
