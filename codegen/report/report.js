/* SPDX-License-Identifier: Apache-2.0 */
"use strict";
/* Tooltips and keys for pictures, light and dark, tables for print, and the network itself. Nothing is loaded. */

const $ = (selector, root = document) => root.querySelector(selector);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
};

/* ---- light and dark ---- */
{
  const button = $("#theme"), root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  name();
}

/* ---- hints: by pointer, and by arrow keys in a focused picture ---- */
{
  const tip = $("#tip");
  const show = (mark, x, y) => {
    tip.textContent = mark.getAttribute("aria-label");
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18}px`;
  };
  let held = null; // the mark that keys went to: its hint stays beside it when the page scrolls
  const hide = () => { tip.hidden = true; held = null; };
  const beside = (mark) => {
    const box = mark.getBoundingClientRect();
    show(mark, box.left + box.width / 2, box.top + box.height / 2);
    held = mark;
  };
  for (const picture of document.querySelectorAll("main svg")) {
    const marks = [...picture.querySelectorAll(".mark")];
    if (!marks.length) continue;
    for (const mark of marks) {
      const title = $("title", mark);
      mark.setAttribute("aria-label", title.textContent);
      mark.setAttribute("role", "img");
      title.remove();
    }
    $("title", picture)?.remove();
    picture.setAttribute("role", "group");
    picture.tabIndex = 0;
    let here = -1;
    const go = (next) => {
      marks[here]?.classList.remove("here");
      here = (next + marks.length) % marks.length;
      marks[here].classList.add("here");
      beside(marks[here]);
    };
    picture.addEventListener("pointermove", (event) => {
      const mark = event.target.closest(".mark");
      hide();
      if (mark) show(mark, event.clientX, event.clientY);
    });
    picture.addEventListener("pointerleave", hide);
    picture.addEventListener("blur", () => { marks[here]?.classList.remove("here"); hide(); });
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) { go(here < 0 ? (step > 0 ? 0 : marks.length - 1) : here + step); event.preventDefault(); }
      else if (event.key === "Home") { go(0); event.preventDefault(); }
      else if (event.key === "End") { go(marks.length - 1); event.preventDefault(); }
      else if (event.key === "Escape") hide();
    });
  }
  addEventListener("scroll", () => { if (held) beside(held); else hide(); }, { passive: true });
}

/* ---- a print has the tables too ---- */
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.dataset.was = d.open ? "1" : ""; d.open = true; }));
addEventListener("afterprint", () => document.querySelectorAll("details").forEach((d) => { d.open = d.dataset.was === "1"; }));

/* ---- the network ---- */
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const TYPED = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array };
const typed = (bytes, dtype) => { const T = TYPED[dtype]; return new T(bytes.slice().buffer, 0, Math.floor(bytes.length / T.BYTES_PER_ELEMENT)); };
const count = (n) => n.toLocaleString("en-US");

class Network {
  constructor(data) { this.data = data; this.trace = []; }
  async start() {
    const record = (layer, at, size) => this.trace.push([layer >>> 0, new Uint8Array(this.memory.buffer, at >>> 0, size >>> 0).slice()]);
    const { instance } = await WebAssembly.instantiate(bytesOf(this.data.wasm), { env: { ekc_trace: record } });
    this.calls = instance.exports;
    this.memory = instance.exports.memory;
    return this;
  }
  /* The output's bytes, and the bytes that each layer wrote, by its number. */
  run(input) {
    this.trace = [];
    new Uint8Array(this.memory.buffer, this.calls.input() >>> 0, input.length).set(input);
    this.calls.reset?.();
    const began = performance.now(), status = this.calls.run(), took = performance.now() - began;
    if (status !== 0) throw new Error(`the network returned status ${status}`);
    const output = new Uint8Array(this.memory.buffer, this.calls.output() >>> 0, this.calls.output_bytes() >>> 0).slice();
    const layers = new Map();
    for (const [layer, bytes] of this.trace) {
      const before = layers.get(layer);
      if (!before) { layers.set(layer, bytes); continue; }
      const both = new Uint8Array(before.length + bytes.length);
      both.set(before); both.set(bytes, before.length);
      layers.set(layer, both);
    }
    return { output, layers, took };
  }
}

/* Level 0 is the least of the type, 255 the most: black and white. */
const least = (dtype) => ({ int8: -128, uint8: 0, int16: -32768 })[dtype];
const levelOf = (grey, edge) => edge.dtype === "float32" ? grey / 255 : edge.dtype === "int16" ? Math.round(grey * 257) - 32768 : Math.round(grey) + least(edge.dtype);
const fresh = (edge) => new TYPED[edge.dtype](edge.bytes / TYPED[edge.dtype].BYTES_PER_ELEMENT);

/* An image of any size to the input's pixels, each the mean of those that it covers; the middle square is taken. */
function levelsOfImage(source, wide, high, edge) {
  const [, h, w, c] = edge.shape, side = Math.min(wide / w, high / h);
  const canvas = make("canvas", { width: w * 8, height: h * 8 }), ink = canvas.getContext("2d", { willReadFrequently: true });
  ink.imageSmoothingQuality = "high";
  ink.drawImage(source, (wide - side * w) / 2, (high - side * h) / 2, side * w, side * h, 0, 0, w * 8, h * 8);
  const pixels = ink.getImageData(0, 0, w * 8, h * 8).data, out = fresh(edge);
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
    const sum = [0, 0, 0];
    for (let v = 0; v < 8; v++) for (let u = 0; u < 8; u++)
      for (let k = 0; k < 3; k++) sum[k] += pixels[4 * ((y * 8 + v) * w * 8 + x * 8 + u) + k] / 64;
    for (let k = 0; k < c; k++)
      out[(y * w + x) * c + k] = levelOf(c === 1 ? 0.299 * sum[0] + 0.587 * sum[1] + 0.114 * sum[2] : sum[k], edge);
  }
  return out;
}

/* One plane of values as grey pixels, the least of `all` black and the most white. */
function paint(ink, values, left, top, w, h, step, offset, low, high) {
  const image = ink.createImageData(w, h), span = high - low || 1;
  for (let i = 0; i < w * h; i++) {
    const grey = 255 * (Number(values[offset + i * step]) - low) / span;
    image.data.set([grey, grey, grey, 255], 4 * i);
  }
  ink.putImageData(image, left, top);
}
function range(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
  return [low, high];
}

/* A tensor of a layer: planes side by side, or a strip of one row. */
function pictureOf(values, shape) {
  const dims = shape.length === 4 ? shape.slice(1) : [1, 1, values.length], [low, high] = range(values);
  let [h, w, c] = dims;
  if (h * w === 1) { w = Math.min(c, 64); h = Math.ceil(c / w); c = 1; }
  const shown = Math.min(c, 32), across = Math.max(1, Math.min(shown, Math.floor(480 / (w + 1))));
  const canvas = make("canvas", { width: across * (w + 1) - 1, height: Math.ceil(shown / across) * (h + 1) - 1, role: "img" });
  const ink = canvas.getContext("2d"), zoom = Math.max(1, Math.min(8, Math.floor(640 / canvas.width)));
  for (let k = 0; k < shown; k++)
    paint(ink, values, (k % across) * (w + 1), Math.floor(k / across) * (h + 1), w, h, c, k, low, high);
  canvas.style.width = `${canvas.width * zoom}px`;
  canvas.setAttribute("aria-label", `${shown} of ${c} planes of ${h} by ${w}, values from ${low} to ${high}`);
  return [canvas, c > shown ? `the first ${shown} of ${c} channels` : "", low, high];
}

async function hash(bytes) {
  if (!crypto.subtle) return "";
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function sound(buffer) { /* a WAV of 8 or 16 bits to mono samples from -1 to 1 */
  const view = new DataView(buffer), word = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 44 || word(0) !== "RIFF" || word(8) !== "WAVE") throw new Error("this is no WAV file");
  let at = 12, format = null;
  while (at + 8 <= buffer.byteLength) {
    const kind = word(at), size = view.getUint32(at + 4, true), from = at + 8;
    if (kind === "fmt ") format = { code: view.getUint16(from, true), channels: view.getUint16(from + 2, true), rate: view.getUint32(from + 4, true), bits: view.getUint16(from + 14, true) };
    if (kind === "data") {
      if (!format || ![1, 65534].includes(format.code) || ![8, 16].includes(format.bits)) throw new Error("only PCM of 8 or 16 bits is read");
      const width = format.bits / 8, frames = Math.floor(Math.min(size, buffer.byteLength - from) / (width * format.channels)), out = new Float32Array(frames);
      for (let i = 0; i < frames; i++) for (let k = 0; k < format.channels; k++) {
        const place = from + (i * format.channels + k) * width;
        out[i] += (width === 2 ? view.getInt16(place, true) / 32768 : (view.getUint8(place) - 128) / 128) / format.channels;
      }
      return { samples: out, rate: format.rate };
    }
    at = from + size + (size & 1);
  }
  throw new Error("the WAV file has no sound in it");
}

/* What was opened, so that it is heard too. */
function play({ samples, rate }) {
  const speaker = new AudioContext(), buffer = speaker.createBuffer(1, Math.max(samples.length, 1), rate), source = speaker.createBufferSource();
  buffer.copyToChannel(samples, 0);
  source.buffer = buffer;
  source.connect(speaker.destination);
  source.addEventListener("ended", () => speaker.close());
  source.start();
}

/* Mel-frequency cepstral coefficients of one second, as MLPerf Tiny's keyword spotting takes them: frames of 30 ms each
   20 ms, Hann window, 40 mel bands from 20 to 4000 Hz, logarithm, DCT-II times the root of 2 / 40. (frames, coefficients) */
function cepstra({ samples, rate }, frames, coefficients) {
  const wanted = 16000, signal = new Float32Array(wanted), bands = 40, fft = 512, window = 480, hop = 320;
  for (let i = 0; i < wanted; i++) {
    const place = i * rate / wanted, k = Math.floor(place);
    if (k < samples.length) signal[i] = samples[k] + ((samples[k + 1] ?? 0) - samples[k]) * (place - k);
  }
  const top = signal.reduce((most, v) => Math.max(most, v), 1e-9);
  const mel = (hz) => 1127 * Math.log(1 + hz / 700), edges = Array.from({ length: bands + 2 }, (_, k) => mel(20) + (mel(4000) - mel(20)) * k / (bands + 1));
  const out = new Float32Array(frames * coefficients), re = new Float64Array(fft), im = new Float64Array(fft);
  for (let f = 0; f < frames; f++) {
    re.fill(0); im.fill(0);
    for (let i = 0; i < window; i++) re[i] = (signal[f * hop + i] || 0) / top * (0.5 - 0.5 * Math.cos(2 * Math.PI * i / window));
    transform(re, im);
    const logs = new Float64Array(bands);
    for (let b = 0; b < bands; b++) {
      let sum = 0;
      for (let k = 1; k <= fft / 2; k++) {
        const m = mel(k * wanted / fft), weight = Math.min((m - edges[b]) / (edges[b + 1] - edges[b]), (edges[b + 2] - m) / (edges[b + 2] - edges[b + 1]));
        if (weight > 0) sum += weight * Math.hypot(re[k], im[k]);
      }
      logs[b] = Math.log(sum + 1e-6);
    }
    for (let c = 0; c < coefficients; c++) {
      let sum = 0;
      for (let b = 0; b < bands; b++) sum += logs[b] * Math.cos(Math.PI * c * (b + 0.5) / bands);
      out[f * coefficients + c] = sum * Math.sqrt(2 / bands);
    }
  }
  return out;
}
function transform(re, im) { /* Cooley and Tukey, radix 2, in place */
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) { [re[i], re[j]] = [re[j], re[i]]; [im[i], im[j]] = [im[j], im[i]]; }
  }
  for (let size = 2; size <= n; size *= 2) for (let from = 0; from < n; from += size) for (let k = 0; k < size / 2; k++) {
    const angle = -2 * Math.PI * k / size, c = Math.cos(angle), s = Math.sin(angle), a = from + k, b = a + size / 2;
    const x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
    re[b] = re[a] - x; im[b] = im[a] - y; re[a] += x; im[a] += y;
  }
}

function app(network) {
  const { data } = network, edge = data.inputs[0], single = data.inputs.length === 1;
  const [, h = 1, w = 1, c = 1] = edge.shape.length === 4 ? edge.shape : [1];
  const image = single && data.kind === "image", speech = single && data.kind === "speech";
  const pad = make("canvas", { class: "pad", width: image ? 224 : w, height: image ? Math.max(1, Math.round(224 * h / w)) : h, tabindex: "0", "aria-label": image && c === 1 ? "Draw here" : "The input" });
  const answer = make("div", { class: "answer", "aria-live": "polite" }), check = make("p", { class: "check", "aria-live": "polite" }), wall = make("div"), layers = make("details", { class: "layers" }, make("summary", {}, `Layer by layer: ${data.layers.length} layers`), wall);
  const view = make("canvas", { class: "pad", width: w, height: h, "aria-label": "What the network sees" });
  const fit = (canvas) => { const zoom = Math.min(224 / canvas.width, 224 / canvas.height); canvas.style.width = `${canvas.width * zoom}px`; canvas.style.height = `${canvas.height * zoom}px`; };
  layers.open = data.layers.length <= 10;
  fit(pad);

  const show = async (input, wanted) => {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    const { output, layers: wrote, took } = network.run(bytes);
    if (single && edge.shape.length === 4) {
      view.width = w; view.height = h;
      const ink = view.getContext("2d"), [low, high] = range(input);
      if (c === 3) {
        const pixels = ink.createImageData(w, h);
        for (let i = 0; i < w * h; i++) pixels.data.set([0, 1, 2].map((k) => 255 * (input[3 * i + k] - low) / (high - low || 1)).concat(255), 4 * i);
        ink.putImageData(pixels, 0, 0);
      } else paint(ink, input, 0, 0, w, h, c, 0, low, high);
      fit(view);
    }
    answer.replaceChildren(...scores(output));
    const sum = await hash(output);
    const same = wanted && sum ? (sum === wanted ? " They are those of the reference." : " The reference has OTHERS.") : "";
    check.className = `check${same ? (sum === wanted ? " good" : " bad") : ""}`;
    check.textContent = `${count(output.length)} bytes in ${took.toFixed(1)} ms here${sum ? `, SHA-256 ${sum.slice(0, 16)}…` : ""}.${same}`;
    document.documentElement.dataset.output = sum;
    document.documentElement.dataset.layers = String(wrote.size);
    wall.replaceChildren(...data.layers.filter((l) => wrote.has(l.index)).map((l) => layerOf(l, wrote.get(l.index))));
  };
  const scores = (output) => {
    const edge = data.outputs[0], values = typed(output.slice(edge.offset, edge.offset + edge.bytes), edge.dtype);
    const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, 12).sort((a, b) => a - b);
    const [low, high] = range(values), best = order.reduce((a, b) => (values[b] > values[a] ? b : a), order[0]);
    return order.flatMap((k) => {
      const mark = k === best ? " best" : "", real = edge.scale * (values[k] - edge.zero_point);
      const bar = make("div", { class: `bar${mark}` });
      bar.style.width = `${100 * (values[k] - low) / (high - low || 1)}%`;
      return [make("span", { class: mark.trim() }, data.classes[k] ?? String(k)), bar, make("span", { class: mark.trim(), title: `level ${values[k]}` }, Number(real.toPrecision(4)).toString())];
    });
  };
  const layerOf = (layer, bytes) => {
    const values = typed(bytes, layer.dtype), [canvas, some, low, high] = pictureOf(values, layer.shape);
    const words = [layer.kernel, layer.shape.slice(1).join("×"), `${count(bytes.length)} bytes`, `${low} to ${high}`, some].filter(Boolean);
    return make("div", { class: "layer" }, make("div", { class: "layer-head" }, make("b", {}, layer.name), ...words.map((t) => make("span", { class: "quiet" }, t))), canvas);
  };

  /* ---- how an input gets in ---- */
  const controls = make("div", { class: "controls" }), seen = single && edge.shape.length === 4 && w > 1 && h > 1;
  const drop = make("div", { class: "drop" }, image && c === 1 ? pad : seen ? view : make("span", { class: "quiet" }, "Drop a file here"));
  const fail = (error) => { check.className = "check bad"; check.textContent = String(error.message || error); };
  const open = async (file) => {
    if (speech && /wav/i.test(file.type + file.name)) {
      const heard = sound(await file.arrayBuffer()), real = cepstra(heard, h, w), out = fresh(edge);
      play(heard);
      const [low, high] = edge.dtype === "int16" ? [-32768, 32767] : edge.dtype === "uint8" ? [0, 255] : [-128, 127];
      for (let i = 0; i < out.length; i++)
        out[i] = edge.dtype === "float32" ? real[i] : Math.max(low, Math.min(high, Math.round(real[i] / edge.scale) + edge.zero_point));
      return show(out);
    }
    if (image && file.type.startsWith("image/")) {
      const bitmap = await createImageBitmap(file), out = levelsOfImage(bitmap, bitmap.width, bitmap.height, edge);
      if (c === 1) pad.getContext("2d").drawImage(bitmap, 0, 0, pad.width, pad.height);
      return show(out);
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (bytes.length !== data.input_bytes) throw new Error(`${file.name} has ${count(bytes.length)} bytes; the input has ${count(data.input_bytes)}`);
    return show(single ? typed(bytes, edge.dtype) : bytes);
  };
  const file = make("input", { type: "file", "aria-label": "Open a file" });
  file.addEventListener("change", () => file.files[0] && open(file.files[0]).catch(fail));
  for (const kind of ["dragover", "dragleave", "drop"]) drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]).catch(fail);
  });
  const pick = make("select", { "aria-label": "Samples" }, ...data.samples.map((s, i) => make("option", { value: i }, s.name)));
  const sample = () => { const s = data.samples[pick.value]; show(single ? typed(bytesOf(s.data), edge.dtype) : bytesOf(s.data), s.sha256).then(() => image && c === 1 && copy()).catch(fail); };
  const copy = () => { const ink = pad.getContext("2d"); ink.imageSmoothingEnabled = false; ink.drawImage(view, 0, 0, pad.width, pad.height); };
  pick.addEventListener("change", sample);
  if (data.samples.length) controls.append(pick);
  if (image && c === 1) {
    const ink = pad.getContext("2d", { willReadFrequently: true });
    let down = null;
    const clear = () => { ink.fillStyle = "#000"; ink.fillRect(0, 0, pad.width, pad.height); };
    const at = (event) => { const box = pad.getBoundingClientRect(); return [(event.clientX - box.left) * pad.width / box.width, (event.clientY - box.top) * pad.height / box.height]; };
    pad.addEventListener("pointerdown", (event) => { down = at(event); pad.setPointerCapture(event.pointerId); });
    pad.addEventListener("pointermove", (event) => {
      if (!down) return;
      const now = at(event);
      Object.assign(ink, { strokeStyle: "#fff", lineWidth: pad.width / 9, lineCap: "round" });
      ink.beginPath(); ink.moveTo(...down); ink.lineTo(...now); ink.stroke();
      down = now;
      show(levelsOfImage(pad, pad.width, pad.height, edge)).catch(fail);
    });
    for (const kind of ["pointerup", "pointercancel"]) pad.addEventListener(kind, () => { down = null; });
    controls.append(make("button", { type: "button", onclick: () => { clear(); show(levelsOfImage(pad, pad.width, pad.height, edge)).catch(fail); } }, "Clear"));
    clear();
  }
  controls.append(file);
  const ways = { image: c === 1 ? "Draw, drop an image, or choose a sample." : "Drop an image, or choose a sample.", speech: "Drop a WAV of one second, or choose a sample.", other: "Choose a sample, or drop a file with the input's bytes." }[single ? data.kind : "other"];
  $("#live-lead").textContent = `The network of this report as WebAssembly, from the same C sources: what it computes here are the device's bytes. ${ways}`;
  $("#live-app").replaceChildren(make("div", { class: "panel" }, drop, controls), make("div", { class: "panel" }, answer, check), layers);
  if (data.samples.length) sample(); else show(fresh(edge)).catch(fail);
}

const live = $("#live-data");
if (live) new Network(JSON.parse(live.textContent)).start().then(app).catch((error) => {
  $("#live-lead").textContent = `The network cannot run here: ${error.message}`;
});
