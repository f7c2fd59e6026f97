// The drawing of the voice's way, and what is counted on it.

const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");

// What the gateway tells, in words.
const EVENTS = {
  ConsentLost: (event) => `${event.remote} does not answer any more`,
  HandshakeFailed: (event) => `${event.protocol} failed: ${event.reason}`,
  LineRefused: (event) => `refused: ${event.reason}`,
  MediaStarted: () => "the first packet arrived",
  MediaTimeout: (event) => `silent for ${event.seconds} s`,
  PairNominated: (event) => `ICE: the browser chose the way from ${event.remote}`,
  PathChanged: (event) => `the way changes: ${event.reason}`,
  PathSettled: (event) =>
    event.signalled === event.remote || event.signalled === "nowhere"
      ? `packets go to ${event.remote}`
      : `packets go to ${event.remote}, not to ${event.signalled}`,
  Secured: (event) => `${event.protocol} agreed on keys for ${event.profile}`,
};

function size(octets) {
  return octets < 100000 ? `${numbers.format(octets)} B` : `${numbers.format(Math.round(octets / 1000))} kB`;
}

function state(id, how, text) {
  const item = $(id);
  item.dataset.state = how;
  const words = item.querySelector("span");
  if (words.textContent !== text) words.textContent = text;
}

function put(id, text) {
  const cell = $(id);
  const said = text ?? "–";
  if (cell.textContent !== said) cell.textContent = said;
}

function dropped(id, counters) {
  const all = Object.entries(counters).filter(([name]) => /^(dropped|unsent)/.test(name));
  put(id, all.map(([name, count]) => `${numbers.format(count)} ${name.replace(/^dropped /, "")}`).join(", ") || "nothing");
  $(id).classList.toggle("bad", all.length > 0);
}

export class Way {
  constructor() {
    this.reset();
  }

  reset() {
    this.before = {};
    this.begun = false;
    for (const cell of document.querySelectorAll("#counters tbody td")) put(cell.id, null);
    for (const id of ["ice", "dtls"]) state(`state-${id}`, "idle", "idle");
    state("state-core", "idle", "unknown");
    for (const id of ["srtp", "rtp"]) state(`state-${id}`, "idle", "silent");
    for (const side of ["access", "core"]) $(`link-${side}`).dataset.state = "idle";
    $("events").querySelector("ol").replaceChildren();
  }

  // The call is over: nothing moves any more, but the counters stay.
  stop(failed) {
    if (!this.begun) return;
    this.begun = false;
    for (const side of ["access", "core"]) {
      const link = $(`link-${side}`);
      link.dataset.state = failed && side === "access" && link.dataset.state !== "flowing" ? "failed" : "idle";
    }
    for (const item of document.querySelectorAll(".states li")) if (item.dataset.state !== "bad") item.dataset.state = "idle";
    for (const id of ["srtp", "rtp"]) state(`state-${id}`, "idle", "silent");
    if (failed) return;
    state("state-ice", "idle", "closed");
    state("state-dtls", "idle", "closed");
    state("state-core", "idle", "unknown");
  }

  // What the browser says of its connection.
  states({ ice, dtls }) {
    this.begun = true;
    const moods = {
      new: "idle",
      checking: "trying",
      connecting: "trying",
      connected: "good",
      completed: "good",
      disconnected: "bad",
      failed: "bad",
      closed: "idle",
    };
    state("state-ice", moods[ice] || "idle", ice);
    state("state-dtls", moods[dtls] || "idle", dtls);
  }

  // How fast a counter grows, a second.
  rate(name, count, seconds) {
    const [before, at, rate] = this.before[name] || [count, seconds, 0];
    if (seconds - at < 0.9) {
      if (!this.before[name]) this.before[name] = [count, seconds, 0];
      return rate;
    }
    const now = Math.max(0, (count - before) / (seconds - at));
    this.before[name] = [count, seconds, now];
    return now;
  }

  packets(id, count, seconds) {
    const rate = Math.round(this.rate(id, count, seconds));
    put(id, `${numbers.format(count)}${rate ? `, ${rate} a second` : ""}`);
    return rate;
  }

  // How the gateway and the browser say that the call stands.
  show(report, statistics) {
    const { seconds } = report;
    const [access] = report.legs.access;
    const [core] = report.legs.core;
    const [echo] = report.far;
    this.tell(report.events);
    $("events").hidden = false;
    if (!access || !core || !echo) return;
    $("counters").hidden = false;
    const inbound = statistics["inbound-rtp"] || {};
    const away = statistics["remote-inbound-rtp"] || {};
    const transport = statistics.transport || {};

    const version = { FEFF: " 1.0", FEFD: " 1.2", FEFC: " 1.3" }[transport.tlsVersion] || "";
    put("access-protection", access.suite ? `SRTP (${access.suite}), keys from DTLS${version}` : "none yet");
    put("core-protection", core.suite ? `SRTP (${core.suite})` : `none (${core.proto})`);
    put("access-local", `${access.local}${access.control ? `, RTCP ${access.control}` : ", RTCP too"}`);
    put("core-local", `${core.local}${core.control ? `, RTCP ${core.control}` : ", RTCP too"}`);
    put("access-remote", access.remote || "not known yet");
    put("core-remote", core.remote || "not known yet");

    const rates = [
      this.packets("access-out-packets", access.packets, seconds),
      this.packets("core-out-packets", echo.packetsReceived, seconds),
      this.packets("core-in-packets", core.packets, seconds),
      this.packets("access-in-packets", inbound.packetsReceived || 0, seconds),
    ];
    put("access-out-octets", size(access.octets));
    put("core-out-octets", size(echo.octetsReceived));
    put("core-in-octets", size(core.octets));
    put("access-in-octets", size((inbound.bytesReceived || 0) + (inbound.headerBytesReceived || 0)));
    for (const [side, leg] of [["access", access], ["core", core]]) {
      const { "control received": came = 0, "control sent": went = 0 } = leg.counters;
      put(`${side}-control`, `${numbers.format(came)} received, ${numbers.format(went)} sent`);
      dropped(`${side}-dropped`, leg.counters);
    }
    const loss = `${numbers.format(inbound.packetsLost || 0)} lost`;
    const trip = away.roundTripTime === undefined ? "" : `, round trip ${(away.roundTripTime * 1000).toFixed(1)} ms`;
    put("access-quality", `${loss}, jitter ${((inbound.jitter || 0) * 1000).toFixed(1)} ms${trip}`);
    put("core-quality", `${numbers.format(echo.lost)} lost, jitter ${(echo.jitter * 1000).toFixed(1)} ms, ${echo.codec}`);

    const flows = [rates[0] && rates[3], rates[1] && rates[2]].map(Boolean);
    state("state-srtp", flows[0] ? "good" : "trying", flows[0] ? "flows" : "silent");
    state("state-rtp", flows[1] ? "good" : "trying", flows[1] ? "flows" : "silent");
    state("state-core", core.remote ? "good" : "trying", core.remote ? "known" : "unknown");
    $("link-access").dataset.state = flows[0] ? "flowing" : access.suite ? "up" : "idle";
    $("link-core").dataset.state = flows[1] ? "flowing" : "up";
  }

  tell(events) {
    const list = $("events").querySelector("ol");
    for (const event of events.slice(list.childElementCount)) {
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.textContent = `${event.seconds.toFixed(3)} s`;
      const side = document.createElement("span");
      side.className = side.textContent = event.side;
      const text = document.createElement("span");
      text.textContent = (EVENTS[event.event] || (() => event.event))(event);
      item.append(time, side, text);
      list.append(item);
    }
  }
}
