// What is said and heard: a microphone or a tune, and how loud both are.

// The range that is shown, in dB of the full level.
export const SILENCE = -60;
// Seconds that the picture looks back.
const MEMORY = 6;
// Milliseconds between two looks at the levels.
const LOOK = 40;
// Samples of one look: 43 ms at 48 kHz, so that nothing is missed.
const WINDOW = 2048;

// The tune: seconds a note, and hertz.  Rests show where the echo stands.
const BEAT = 0.24;
const NOTES = [440, 554.37, 659.26, 880, 0, 659.26, 0, 0];

// A stream with the tune in it, again and again.
export function tune(context) {
  const rate = context.sampleRate;
  const beat = Math.round(BEAT * rate);
  const buffer = context.createBuffer(1, beat * NOTES.length, rate);
  const samples = buffer.getChannelData(0);
  NOTES.forEach((hertz, place) => {
    if (!hertz) return;
    for (let i = 0; i < beat; i++) {
      const rise = Math.min(1, i / (0.01 * rate));
      const fall = Math.exp((-4 * i) / beat);
      const turn = (2 * Math.PI * hertz * i) / rate;
      samples[place * beat + i] = 0.4 * rise * fall * (Math.sin(turn) + 0.25 * Math.sin(2 * turn));
    }
  });
  const player = context.createBufferSource();
  player.buffer = buffer;
  player.loop = true;
  const out = context.createMediaStreamDestination();
  player.connect(out);
  player.start();
  return out.stream;
}

// A stream from the microphone.  What it throws is for people.
export async function microphone() {
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia)
    throw new Error("The browser gives the microphone only to pages from this machine or over HTTPS.");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    const reasons = {
      NotAllowedError: "The browser may not use the microphone. Allow it in the address bar.",
      NotFoundError: "The browser found no microphone.",
      NotReadableError: "Another program uses the microphone.",
    };
    throw new Error(reasons[error.name] || `The microphone cannot be used: ${error.message}`);
  }
}

// How loud a stream is.
export class Ear {
  constructor(context, stream) {
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = WINDOW;
    this.source = context.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
    this.samples = new Float32Array(WINDOW);
  }

  // The level just now, in dB.
  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / WINDOW;
    return power > 0 ? Math.max(SILENCE, 10 * Math.log10(power)) : SILENCE;
  }

  close() {
    this.source.disconnect();
  }
}

// The picture: upwards what was said, downwards what was heard.
export class Scope {
  constructor(canvas, saidMeter, heardMeter) {
    this.canvas = canvas;
    this.meters = [saidMeter, heardMeter];
    this.ears = [null, null];
    this.past = []; // [time, said, heard], oldest first
    this.timer = null;
    this.told = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // Listen to what is said, place 0, or heard, place 1.
  listen(place, ear) {
    if (this.ears[place]) this.ears[place].close();
    this.ears[place] = ear;
    if (ear && this.timer === null) {
      this.past = [];
      this.timer = setInterval(() => this.look(), LOOK);
    }
    if (!this.ears[0] && !this.ears[1]) {
      clearInterval(this.timer);
      this.timer = null;
      this.meters.forEach((meter) => show(meter, SILENCE, true));
    }
  }

  look() {
    const now = performance.now() / 1000;
    const levels = this.ears.map((ear) => (ear ? ear.level() : SILENCE));
    this.past.push([now, ...levels]);
    while (this.past[0][0] < now - MEMORY) this.past.shift();
    // Screen readers need not hear of every look.
    const tell = now - this.told > 1;
    if (tell) this.told = now;
    this.meters.forEach((meter, place) => show(meter, levels[place], tell));
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    const colours = getComputedStyle(canvas);
    const middle = height / 2;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = colours.getPropertyValue("--line");
    pen.fillRect(0, middle - scale / 2, width, scale);
    if (!this.past.length) return;
    const now = this.past[this.past.length - 1][0];
    const bar = Math.max(scale, (width * LOOK) / 1000 / MEMORY - scale);
    [1, 2].forEach((which) => {
      pen.fillStyle = colours.getPropertyValue(which === 1 ? "--access" : "--core");
      for (const look of this.past) {
        const x = width - ((now - look[0]) / MEMORY) * width - bar;
        const tall = fraction(look[which]) * (middle - 4 * scale);
        if (tall > 0) pen.fillRect(x, which === 1 ? middle - tall : middle, bar, tall);
      }
    });
  }
}

function fraction(level) {
  return Math.min(1, 1 - level / SILENCE);
}

function show(meter, level, tell) {
  meter.firstElementChild.style.transform = `scaleX(${fraction(level).toFixed(3)})`;
  if (tell) {
    meter.setAttribute("aria-valuenow", Math.round(level));
    meter.setAttribute("aria-valuetext", level <= SILENCE ? "silent" : `${Math.round(level)} decibels`);
  }
}
