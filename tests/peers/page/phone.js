// A telephone in a page: JsSIP for the signalling, an oscillator for the
// voice, and ears that can tell a tone.  The tests drive it as window.phone.
import JsSIP from "jssip";

// How many samples the ears look at: 4096 at 48 kHz are 11.7 Hz a line.
const WINDOW = 4096;

class Phone {
  constructor() {
    this.log = [];
    this.session = null;
    this.connection = null;
    this.context = null;
  }

  // A stream with a steady tone in it.
  voice() {
    const oscillator = this.context.createOscillator();
    oscillator.frequency.value = this.tone;
    const quieter = this.context.createGain();
    quieter.gain.value = 0.5;
    const microphone = this.context.createMediaStreamDestination();
    oscillator.connect(quieter).connect(microphone);
    oscillator.start();
    return microphone.stream;
  }

  // Register, answer whoever calls, and say a tone of so many hertz.
  async register(server, uri, tone) {
    // Whoever may use the microphone may know all addresses of the machine.
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    this.context = new AudioContext();
    await this.context.resume();
    this.tone = tone;
    const agent = this.agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(server)],
      uri: uri,
      password: "unused",
      session_timers: false,
    });
    agent.on("newRTCSession", ({ session, originator }) => this.adopt(session, originator));
    agent.start();
    await new Promise((resolve, reject) => {
      agent.on("registered", resolve);
      agent.on("registrationFailed", (event) => reject(new Error(event.cause)));
    });
    return "registered";
  }

  options() {
    return { mediaStream: this.voice(), pcConfig: { iceServers: [] } };
  }

  call(target, headers) {
    this.agent.call(target, { ...this.options(), extraHeaders: headers });
  }

  adopt(session, originator) {
    this.session = session;
    this.log.push("session " + originator);
    const hook = (connection) => {
      this.connection = connection;
      connection.addEventListener("track", (event) => this.hear(event.track));
    };
    if (session.connection) hook(session.connection);
    else session.on("peerconnection", (event) => hook(event.peerconnection));
    for (const name of ["progress", "accepted", "confirmed", "ended", "failed", "hold", "unhold"])
      session.on(name, (event) => {
        const cause = event && event.cause ? " " + event.cause : "";
        const who = event && event.originator ? " by " + event.originator : "";
        this.log.push(name + who + cause);
      });
    if (originator === "remote") session.answer(this.options());
  }

  hear(track) {
    const stream = new MediaStream([track]);
    // Chromium feeds a remote track to an audio graph only if an element plays it.
    this.loudspeaker = new Audio();
    this.loudspeaker.srcObject = stream;
    this.loudspeaker.play();
    this.ears = this.context.createAnalyser();
    this.ears.fftSize = WINDOW;
    this.context.createMediaStreamSource(stream).connect(this.ears);
  }

  // The loudest frequency heard just now, in hertz, and how loud it is, in dB.
  listen() {
    if (!this.ears) return { hertz: 0, decibels: -200 };
    const lines = new Float32Array(this.ears.frequencyBinCount);
    this.ears.getFloatFrequencyData(lines);
    const loudest = lines.reduce((best, value, index) => (value > lines[best] ? index : best), 0);
    const decibels = Number.isFinite(lines[loudest]) ? lines[loudest] : -200;
    return { hertz: (loudest * this.context.sampleRate) / WINDOW, decibels: decibels };
  }

  // What the connection's statistics say that the tests ask about.
  async statistics() {
    const found = { received: 0, sent: 0, lost: 0, energy: 0, dtls: "", role: "", suite: "" };
    if (!this.connection) return found;
    for (const [, entry] of await this.connection.getStats()) {
      if (entry.type === "inbound-rtp") {
        found.received = entry.packetsReceived;
        found.lost = entry.packetsLost;
        found.energy = entry.totalAudioEnergy || 0;
      } else if (entry.type === "outbound-rtp") found.sent = entry.packetsSent;
      else if (entry.type === "transport") {
        found.dtls = entry.dtlsState;
        found.role = entry.dtlsRole || "";
        found.suite = entry.srtpCipher || "";
      }
    }
    return found;
  }

  state() {
    return this.connection ? this.connection.connectionState : "none";
  }


  remote() {
    return this.connection.currentRemoteDescription.sdp;
  }
}

window.phone = new Phone();
