// The chat: words and files, over a data channel on one side of the gateway and TCP on the other.
import { Call } from "./call.js";
import { Session, token } from "./msrp.js";

const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");

// The stream of the channel, which both sides know from the description.
const STREAM = 0;
// The far end takes no larger file.
const MAX_FILE = 256 * 1048576;

function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const [unit, name] = bytes < 1e6 ? [1e3, "kB"] : [1e6, "MB"];
  return `${numbers.format(Math.round((bytes / unit) * 10) / 10)} ${name}`;
}

async function digest(blob) {
  const hash = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return new Uint8Array(hash);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The SHA-256 that came with a file (RFC 9530).
function told(headers) {
  const [, value] = /sha-256=:([\w+/]+=*):/.exec(headers["content-digest"] || "") || [];
  return value ? hex(Uint8Array.from(atob(value), (c) => c.charCodeAt(0))) : "";
}

function element(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

export class Chat {
  // The handlers: exchange(exchange, flags) and complain(text).
  constructor(handlers) {
    this.handlers = handlers;
    this.call = null;
    this.session = null;
    this.items = new Map();
    this.sent = [];
    $("chat-open").addEventListener("click", () => (this.call ? this.call.hangUp() : this.open()));
    $("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.say();
    });
    $("chat-file").addEventListener("change", ({ target }) => {
      for (const file of target.files) this.give(file);
      target.value = "";
    });
    this.takeDrops();
    this.show("closed");
  }

  takeDrops() {
    const place = $("chat");
    const holds = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
    // A file that misses the card must not replace the page.
    for (const name of ["dragover", "drop"])
      window.addEventListener(name, (event) => holds(event) && event.preventDefault());
    place.addEventListener("dragover", (event) => place.classList.toggle("over", holds(event)));
    place.addEventListener("dragleave", ({ relatedTarget }) => {
      if (!place.contains(relatedTarget)) place.classList.remove("over");
    });
    place.addEventListener("drop", (event) => {
      place.classList.remove("over");
      if (holds(event)) for (const file of event.dataTransfer.files) this.give(file);
    });
  }

  // What state the chat is in: closed, opening or open.
  show(state) {
    this.state = state;
    $("chat").dataset.state = state;
    $("chat-state").textContent = state;
    $("chat-open").textContent = state === "closed" ? "Open the chat" : "Close";
    for (const id of ["chat-text", "chat-send", "chat-file"]) $(id).disabled = state !== "open";
  }

  async open() {
    let channel;
    const call = new Call(
      (connection) => {
        channel = connection.createDataChannel("chat", { negotiated: true, id: STREAM, protocol: "msrp" });
      },
      {
        exchange: (exchange, flags) => {
          session.answered(exchange.answerOut);
          this.handlers.exchange(exchange, flags);
        },
        offer: (sdp) => session.describe(sdp),
        report: (report) => this.report(report),
        states: () => {},
        track: () => {},
        end: (reason, isError) => this.closed(reason, isError),
      },
    );
    const session = new Session(channel, {
      text: (text) => this.add("theirs", element("p", "", text)),
      part: (message) => this.comes(message),
      whole: (message, blob) => this.came(message, blob),
      reported: (name) => this.mark(name, "arrived"),
      failed: (name, code) => this.mark(name, `failed: ${code}`),
    });
    this.call = call;
    this.session = session;
    this.show("opening");
    $("chat-log").replaceChildren();
    this.items.clear();
    this.sent = [];
    channel.addEventListener("open", () => {
      session.begin();
      this.show("open");
      $("chat-text").focus({ preventScroll: true });
    });
    channel.addEventListener("close", () => call.end("The chat's data channel was closed.", true));
    try {
      await call.begin();
    } catch (error) {
      call.end(error.message, true);
    }
  }

  closed(reason, isError) {
    this.call = this.session = null;
    this.show("closed");
    for (const item of document.querySelectorAll("#chat-log [data-mark='on its way']")) item.dataset.mark = "lost";
    if (isError) this.handlers.complain(reason);
  }

  add(whose, ...children) {
    const log = $("chat-log");
    const item = element("li", whose, ...children);
    log.append(item);
    log.scrollTop = log.scrollHeight;
    return item;
  }

  mark(name, mark) {
    const item = this.items.get(name);
    if (item) item.dataset.mark = mark;
  }

  say() {
    const text = $("chat-text").value.trim();
    if (!text || this.state !== "open") return;
    $("chat-text").value = "";
    const name = token();
    const item = this.add("mine", element("p", "", text));
    this.items.set(name, item);
    item.dataset.mark = "on its way";
    this.session.text(name, text).catch((error) => (item.dataset.mark = error.message));
  }

  // Send a file.
  async give(file) {
    if (this.state !== "open") return this.handlers.complain("Open the chat first; then it takes files.");
    if (file.size > MAX_FILE) return this.handlers.complain(`${file.name} has more than ${size(MAX_FILE)}.`);
    const name = token();
    const save = element("a", "name", file.name);
    const bars = [element("progress", "there"), element("progress", "back")];
    const state = element("p", "state", "on its way …");
    const item = this.add("mine file", element("p", "", save, ` (${size(file.size)})`), ...bars, state);
    bars.forEach((bar, n) => {
      bar.value = 0;
      bar.ariaLabel = n ? "came back" : "sent";
    });
    this.items.set(name, item);
    const entry = { file, item, save, state, bars, began: performance.now() };
    this.sent.push(entry);
    try {
      await this.session.file(name, file, (at) => (bars[0].value = file.size ? at / file.size : 1));
      if (!entry.back) state.textContent = "sent; the far end has it soon";
    } catch (error) {
      state.textContent = `not sent: ${error.message}`;
      item.dataset.mark = "failed";
    }
  }

  // What a message brings back: the first file of that name that is not back.
  entry(message) {
    const disposition = message.headers["content-disposition"] || "";
    const [, named] = /filename\*=UTF-8''([^;]*)/.exec(disposition) || [];
    message.entry ??= this.sent.find((entry) => !entry.back && entry.file.name === decodeURIComponent(named || ""));
    if (message.entry) message.entry.back = true;
    return message.entry;
  }

  comes(message) {
    const entry = this.entry(message);
    if (!entry) return;
    entry.bars[1].value = entry.file.size ? message.size / entry.file.size : 1;
    entry.state.textContent = "on its way back …";
  }

  async came(message, blob) {
    const entry = this.entry(message);
    if (!entry) return;
    const { file, item, save, state, began } = entry;
    const seconds = (performance.now() - began) / 1000;
    state.textContent = "comparing …";
    const [there, back] = (await Promise.all([digest(file), digest(blob)])).map(hex);
    const good = there === back && told(message.headers) === there;
    item.dataset.mark = good ? "equal" : "failed";
    item.dataset.digest = back;
    state.textContent = good
      ? `Came back unchanged after ${seconds.toFixed(1)} s`
      : "What came back is not what was sent.";
    if (good) state.append(element("code", "", `SHA-256 ${back}`));
    save.href = URL.createObjectURL(blob);
    save.download = file.name;
  }

  // How the gateway says that the call stands.
  report(report) {
    const [access] = report.legs.access;
    const [far] = report.far;
    if (!access || !far) return;
    $("chat-access").textContent = `${access.local} ↔ ${access.remote || "…"}`;
    $("chat-core").textContent = far.remote ? `${far.remote} ↔ ${far.address}` : "not connected yet";
    $("chat-there").textContent = `${numbers.format(far.messagesReceived)} messages, ${size(far.octetsReceived)}`;
    $("chat-back").textContent = `${numbers.format(far.messagesSent)} messages, ${size(far.octetsSent)}`;
  }

  close() {
    if (this.call) this.call.hangUp();
  }
}
