// The page: a button, a call behind it, and what there is to see.
import { Call } from "./call.js";
import { Chat } from "./chat.js";
import { explain, show } from "./descriptions.js";
import { Floor } from "./floor.js";
import { Ear, Scope, microphone, tune } from "./sound.js";
import { Way } from "./way.js";

const $ = (id) => document.getElementById(id);
const button = $("call");
const scope = new Scope($("scope"), $("meter-said"), $("meter-heard"));
const way = new Way();
const chat = new Chat({ exchange: (...said) => describe("chat partner", ...said), complain });
const floor = new Floor({ exchange: (...said) => describe("floor control server", ...said), complain });

let context = null;
let call = null;
let stream = null;
let began = 0;
let clock = null;
let attempt = 0;

function status(text) {
  $("status").textContent = text;
}

function complain(text) {
  $("problem-text").textContent = text;
  $("problem").hidden = false;
}

function does(what) {
  button.dataset.does = what;
  $("call-text").textContent = what === "call" ? "Call" : "Hang up";
  $("source").disabled = what !== "call";
}

function source() {
  return document.querySelector("input[name=source]:checked").value;
}

function duration() {
  const seconds = Math.floor((performance.now() - began) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

async function begin() {
  const mine = ++attempt;
  $("problem").hidden = true;
  $("problem-tune").hidden = true;
  does("hang up");
  way.reset();
  try {
    if (!window.RTCPeerConnection) throw new Error("This browser has no WebRTC, or it is turned off.");
    context ??= new AudioContext();
    context.resume();
    const found = await voice(mine);
    if (mine !== attempt) return;
    stream = found;
    scope.listen(0, new Ear(context, stream));
    status("Calling …");
    const furnish = (connection) => stream.getTracks().forEach((track) => connection.addTrack(track, stream));
    call = new Call(furnish, { track: hear, exchange: (...said) => describe("telephone", ...said), states, report, end });
    await call.begin();
  } catch (error) {
    if (mine !== attempt) return;
    if (call) call.end(error.message, true);
    else end(error.message, true);
  }
}

// What the telephone shall hear.
async function voice(mine) {
  if (source() === "tune") return tune(context);
  status("The browser asks for the microphone …");
  let found;
  try {
    found = await microphone();
  } catch (error) {
    if (mine === attempt) $("problem-tune").hidden = false;
    throw error;
  }
  // Somebody has hung up meanwhile.
  if (mine !== attempt) found.getTracks().forEach((track) => track.stop());
  return found;
}

function states(now) {
  way.states(now);
  if (!now.connected || clock !== null) return;
  began = performance.now();
  clock = setInterval(tick, 500);
  tick();
  status(`Connected. ${source() === "tune" ? "The tune" : "Whatever you say"} comes back a moment later.`);
}

async function report(report) {
  const current = call;
  const statistics = current ? await current.statistics() : {};
  if (current && current === call) way.show(report, statistics);
}

function hear(heard) {
  const loudspeaker = $("loudspeaker");
  loudspeaker.srcObject = heard;
  loudspeaker.play().catch((error) => {
    if (error.name === "NotAllowedError") complain("The browser does not let this page be heard. Its settings for the page say why.");
  });
  scope.listen(1, new Ear(context, heard));
}

function describe(partner, exchange, flags) {
  $("descriptions-none").hidden = true;
  $("descriptions-some").hidden = false;
  show($("offer"), {
    title: "Offer",
    command: `rtpengine_offer("${flags.offer}")`,
    access: ["offer from the browser", exchange.offerIn],
    core: [`offer to the ${partner}`, exchange.offerOut],
    fromAccess: true,
  });
  show($("answer"), {
    title: "Answer",
    command: `rtpengine_answer("${flags.answer}")`,
    access: ["answer to the browser", exchange.answerOut],
    core: [`answer from the ${partner}`, exchange.answerIn],
    fromAccess: false,
  });
  differences();
}

function differences() {
  for (const table of document.querySelectorAll(".lines"))
    table.classList.toggle("differences", $("differences").checked);
}

function tick() {
  $("clock").textContent = duration();
}

function end(reason, isError) {
  attempt++;
  const wasConnected = clock !== null;
  clearInterval(clock);
  clock = null;
  $("clock").textContent = "";
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = call = null;
  $("loudspeaker").srcObject = null;
  scope.listen(0, null);
  scope.listen(1, null);
  way.stop(isError);
  does("call");
  status(wasConnected ? `The call is over after ${duration()}.` : "Ready.");
  if (isError) complain(reason);
}

function hangUp() {
  if (call) call.hangUp();
  else end("", false);
}

button.addEventListener("click", () => (button.dataset.does === "call" ? begin() : hangUp()));
$("problem-close").addEventListener("click", () => ($("problem").hidden = true));
$("problem-tune").addEventListener("click", () => {
  document.querySelector("input[value=tune]").checked = true;
  begin();
});
$("differences").addEventListener("change", differences);
window.addEventListener("pagehide", () => {
  hangUp();
  chat.close();
  floor.close();
});
explain($("topics"));
$("local").hidden = !["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);

// For whoever opens the console.
window.demo = {
  get call() {
    return call;
  },
  statistics: () => (call ? call.statistics() : {}),
};
