// The offer and the answer, on either side of the gateway, line by line.

// What lines are about: a label, what it means, and the attributes that get it.
const TOPICS = [
  ["address", "Where media goes. Each side sees only the gateway's address on that side.", ["o=", "c="]],
  ["profile", "How media is carried: UDP/TLS/RTP/SAVPF is SRTP with keys from DTLS, RTP/AVP is plain RTP.", ["m="]],
  ["ICE", "How the browser finds a way through networks. The gateway answers its checks; the telephone knows nothing of it.",
    ["candidate", "end-of-candidates", "ice-lite", "ice-options", "ice-pwd", "ice-ufrag", "remote-candidates"]],
  ["DTLS", "Certificates and roles of the handshake that agrees on keys. It ends at the gateway. For TCP, setup says who connects.",
    ["connection", "fingerprint", "setup", "tls-id"]],
  ["keys", "Keys of the media, inside the description (SDES).", ["crypto", "3ge2ae"]],
  ["RTCP", "Whether RTP and RTCP share a port. Browsers insist on it; telephones have two.",
    ["rtcp", "rtcp-mux", "rtcp-mux-only", "rtcp-rsize"]],
  ["feedback", "Fast feedback (AVPF), which a telephone that speaks AVP must not see.", ["rtcp-fb", "rtcp-xr"]],
  ["bundle", "Several media on one port, which only browsers do.", ["bundle-only", "group", "mid"]],
  ["WebRTC", "Names of tracks and streams in the page.",
    ["extmap-allow-mixed", "msid", "msid-semantic", "rid", "simulcast", "ssrc", "ssrc-group"]],
  ["extension", "Extensions of the RTP header.", ["extmap"]],
  ["channel", "Data channels, which streams they are, and what each of them carries. Only browsers have them.",
    ["dcmap", "dcsa", "max-message-size", "sctp-port"]],
  ["MSRP", "Chat: where its messages go, and what they may hold. In a channel each of these stands in an a=dcsa line.",
    ["accept-types", "accept-wrapped-types", "msrp-cema", "path"]],
  ["BFCP", "Floor control: who is the server, and by which numbers it knows conference, user and floors.",
    ["bfcpver", "confid", "floorctrl", "floorid", "userid"]],
  ["codec", "What the voice is coded with.", ["fmtp", "maxptime", "ptime", "rtpmap"]],
];

// The kind of a line: lines of one kind say the same thing in different words.
function kind(line) {
  const [, type, rest] = /^(.=)(.*)$/s.exec(line) || [, line, ""];
  if (type === "m=") return "m=" + rest.split(" ")[0];
  if (type !== "a=") return type;
  const [name, value] = rest.split(/:(.*)/s);
  if (["fmtp", "rtcp-fb", "rtpmap"].includes(name)) return `a=${name}:${(value || "").split(" ")[0]}`;
  if (name === "extmap") return `a=extmap:${(value || "").split(" ")[1]}`;
  return `a=${name}`;
}

function topic(line) {
  const type = line.slice(0, 2);
  const name = type === "a=" ? line.slice(2).split(":")[0] : type;
  const found = TOPICS.find(([, , names]) => names.includes(name));
  return found ? found[0] : "";
}

// How well two lines stand beside each other; 0: not at all.
function likeness(a, b) {
  if (a === b) return a.startsWith("m=") ? 20 : 4;
  if (kind(a) !== kind(b)) return 0;
  return a.startsWith("m=") ? 20 : 2;
}

// The best way to set two lists beside each other in order.
// Returns pairs of which one half may be null.
export function align(left, right, like = likeness) {
  const rows = left.length;
  const columns = right.length;
  const best = Array.from({ length: rows + 1 }, () => new Float64Array(columns + 1));
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--) {
      const both = like(left[i], right[j]);
      best[i][j] = Math.max(best[i + 1][j], best[i][j + 1], both ? both + best[i + 1][j + 1] : 0);
    }
  const pairs = [];
  let i = 0;
  let j = 0;
  while (i < rows || j < columns) {
    const both = i < rows && j < columns ? like(left[i], right[j]) : 0;
    if (both && best[i][j] === both + best[i + 1][j + 1]) pairs.push([left[i++], right[j++]]);
    else if (j >= columns || (i < rows && best[i][j] === best[i + 1][j])) pairs.push([left[i++], null]);
    else pairs.push([null, right[j++]]);
  }
  return pairs;
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A line, with the words marked that the other line does not have.
function marked(line, other) {
  if (other === null || other === line) return [line];
  const words = (text) => text.split(/(?<=[ :/;=])|(?=[ :/;=])/);
  return align(words(line), words(other), (a, b) => (a === b ? 1 : 0))
    .filter(([mine]) => mine !== null)
    .map(([mine, theirs]) => (theirs === null && mine.trim() ? element("mark", {}, mine) : mine));
}

function lines(sdp) {
  return sdp.split(/\r?\n/).filter((line) => line !== "");
}

function copyButton(name, sdp) {
  const button = element("button", { type: "button", className: "quiet", textContent: "Copy" });
  button.setAttribute("aria-label", `Copy the ${name}`);
  button.addEventListener("click", async () => {
    button.textContent = await navigator.clipboard.writeText(sdp).then(
      () => "Copied",
      () => "Not allowed",
    );
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

// Show one exchange: what came in on one side, and what went out on the other.
//   place    where to show it
//   title    what it is
//   command  what a SIP proxy says to the gateway for it
//   access, core   [heading, description] of either side
//   fromAccess     which side it came from
export function show(place, { title, command, access, core, fromAccess }) {
  const tally = { same: 0, changed: 0, removed: 0, added: 0 };
  const rows = align(lines(access[1]), lines(core[1])).map(([left, right]) => {
    const gone = fromAccess ? right === null : left === null;
    const fresh = fromAccess ? left === null : right === null;
    const how = gone ? "removed" : fresh ? "added" : left === right ? "same" : "changed";
    tally[how]++;
    const cell = (line, other, side) => {
      const came = (side === "access") === fromAccess;
      const made = element("td", { className: `text ${side} ${came ? "from" : "to"}` });
      if (line !== null) made.append(...marked(line, other));
      else made.classList.replace("text", "nothing");
      return made;
    };
    const label = how === "same" ? "" : topic(left ?? right);
    return element(
      "tr",
      { className: `row ${how} ${kind(left ?? right).startsWith("m=") ? "media" : ""}` },
      cell(left, right, "access"),
      element("td", { className: "topic", textContent: label }),
      cell(right, left, "core"),
    );
  });
  const heading = ([name, sdp], side) =>
    element("th", { scope: "col", className: side, textContent: name }, copyButton(name, sdp));
  const table = element(
    "table",
    { className: "lines", ariaLabel: title },
    element("colgroup", {}, element("col"), element("col", { className: "topic" }), element("col")),
    element(
      "thead",
      {},
      element("tr", {}, heading(access, "access"), element("td", { className: "topic" }), heading(core, "core")),
    ),
    element("tbody", {}, ...rows),
  );
  const told = `${tally.same} lines crossed, ${tally.changed} changed, ${tally.removed} stayed, ${tally.added} are new`;
  place.replaceChildren(
    element(
      "div",
      { className: "title" },
      element("h3", { textContent: `${title} ${fromAccess ? "→" : "←"}` }),
      element("code", { textContent: command }),
      element("p", { className: "tally", textContent: told }),
    ),
    table,
  );
}

// Explain the labels.
export function explain(list) {
  for (const [name, meaning] of TOPICS)
    list.append(element("dt", { textContent: name }), element("dd", { textContent: meaning }));
}
