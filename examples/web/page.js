// The page: fetches the weights that lie beside it, hands pictures to the module and shows what comes back.
// Options in the address: ?model=FILE takes another model, ?device=cpu the processor.

import init, { Recognizer, needsBase } from "./web.js";

const options = new URLSearchParams(location.search);
const modelFile = options.get("model") ?? "expression_model.safetensors";
const onProcessor = options.get("device") === "cpu";
const at = (id) => document.getElementById(id);

let recognizer = null;
let busy = false;
let shown = null;

function say(text, isWrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", isWrong);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** The bytes of a file beside the page. */
async function fetched(file) {
  const answer = await fetch(new URL(file, location.href));
  if (!answer.ok) throw new Error(`${file} is not beside this page (${answer.status})`);
  const parts = [];
  let size = 0;
  const reader = answer.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    size += part.value.length;
    say(`Loading ${file}: ${megabytes(size)} …`);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The name of the GPU, of which browsers say as little as they can. */
async function gpuName() {
  const advice = "Add ?device=cpu to the address to compute on the processor, which is slower.";
  if (!isSecureContext) throw new Error(`Browsers offer WebGPU over HTTPS and on localhost only. ${advice}`);
  if (!navigator.gpu) throw new Error(`This browser has no WebGPU. ${advice}`);
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error(`This browser has WebGPU, but offers no GPU on this machine. ${advice}`);
  const { description, vendor, architecture } = adapter.info;
  return description || `${vendor} ${architecture}`.trim() || "a GPU that the browser does not name";
}

async function load() {
  at("device").textContent = onProcessor ? "the processor, on one thread" : await gpuName();
  await init();
  const model = await fetched(modelFile);
  const base = needsBase(model) ? await fetched("vgg16_base.safetensors") : undefined;
  const yunet = await fetched("yunet.safetensors");
  say("Preparing the networks …");
  await painted();
  recognizer = await Recognizer.load(onProcessor, yunet, model, base);
  at("model").textContent = modelFile;
  at("input").hidden = false;
  say("Ready.");
}

/** Lets the browser show what was said before it has no time for that. */
const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

/** Finds and recognises the faces of a picture's file. */
async function predict(file, name) {
  if (busy || !recognizer) return;
  busy = true;
  at("again").disabled = true;
  say(`Looking at ${name} …`);
  await painted();
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const start = performance.now();
    const found = JSON.parse(await recognizer.predict(bytes));
    const milliseconds = performance.now() - start;
    const runs = shown?.file === file ? shown.runs + 1 : 1;
    await show(found, file);
    const first = runs === 1 ? " (the first run on a picture of this size also compiles)" : "";
    at("time").textContent = `${milliseconds.toFixed(0)} ms${first}`;
    shown = { file, name, runs };
    at("result").hidden = false;
    say(`${name}: ${found.faces.length === 1 ? "1 face" : `${found.faces.length} faces`}.`);
    window.vultus = { found, milliseconds, runs };
  } catch (error) {
    fail(error);
  } finally {
    busy = false;
    at("again").disabled = !shown;
  }
}

async function show(found, file) {
  await draw(found, file);
  at("whole").hidden = found.faces.some((face) => face.probability !== null);
  at("faces").replaceChildren(...found.faces.map(card));
}

/** One face: its classes, the most probable first. */
function card(face, index) {
  const item = document.createElement("li");
  const ranked = Object.entries(face.scores).sort(([, a], [, b]) => b - a);
  const title = document.createElement("h2");
  title.textContent = face.probability !== null ? `${index + 1}: ${face.expression}` : face.expression;
  item.append(title, ...ranked.map(([name, score]) => bar(name, score)));
  return item;
}

function bar(name, score) {
  const row = document.createElement("div");
  const label = document.createElement("span");
  const meter = document.createElement("meter");
  const percent = document.createElement("output");
  label.textContent = name;
  meter.value = score;
  percent.textContent = `${(100 * score).toFixed(1)} %`;
  row.append(label, meter, percent);
  return row;
}

/** The picture, with a box and a number for each face. */
async function draw(found, file) {
  const canvas = at("picture");
  const context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [found.width, found.height];
  try {
    context.drawImage(await createImageBitmap(file), 0, 0, found.width, found.height);
  } catch {
    // A format that this browser does not show (TIFF, say): the boxes stand alone.
  }
  const unit = Math.max(found.width, found.height) / 100;
  context.lineWidth = Math.max(2, unit / 3);
  context.strokeStyle = context.fillStyle = "#ffd400";
  context.font = `${Math.max(12, 3 * unit)}px system-ui, sans-serif`;
  found.faces.filter((face) => face.probability !== null).forEach(({ box: [left, top, right, bottom] }, index) => {
    context.strokeRect(left, top, right - left, bottom - top);
    context.fillText(index + 1, left, top - unit);
  });
}

function fail(error) {
  say(error.message ?? String(error), true);
}

at("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) predict(file, file.name);
});
at("again").addEventListener("click", () => predict(shown.file, shown.name));
at("astronaut").addEventListener("click", async () => {
  try {
    const answer = await fetch("astronaut.png");
    if (!answer.ok) throw new Error(`astronaut.png is not beside this page (${answer.status})`);
    await predict(await answer.blob(), "the astronaut");
  } catch (error) {
    fail(error);
  }
});

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) predict(file, file.name);
});

// What the module cannot go on from ends no promise.
addEventListener("error", (event) => fail(new Error(`The program has failed (${event.message}): reload this page.`)));

load().catch(fail);
