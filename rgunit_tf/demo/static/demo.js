// The page of bin/demo: what is chosen goes to the server, which answers with images as data URLs.

import { ask, inTurn, isCurrent, newTurn } from "./ask.js";
import * as attributes from "./attributes.js";
import { chosen, target, words } from "./attributes.js";

const STYLES = 4; // drawn at a time, beside the typical one
const byId = (id) => document.getElementById(id);

let model = null;
let picture = null; // what the server says of it
let seed = null; // of the style that is shown; null: the target's mean style
let drawn = 0; // seeds below this one were shown before
let results = new Map(); // seed -> the translation to what is chosen now
let frames = []; // images on the way to the target, the last one being the target's

function question(ofSeed) {
  return { picture: picture.id, attributes: chosen(), seed: ofSeed };
}

// ---- showing ----

function say(text) {
  byId("status").textContent = text;
}

function complain(text) {
  byId("error").textContent = text;
  byId("error").hidden = !text;
}

let painted = 0;

async function paint(source) {
  const mine = ++painted;
  const image = new Image();
  image.src = source;
  await image.decode();
  if (mine !== painted) return;
  const canvas = byId("output");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d").drawImage(image, 0, 0);
}

function showPosition() {
  const slider = byId("strength");
  const share = Number(slider.value) / Number(slider.max);
  const percent = `${Math.round(100 * share)} %`;
  byId("share").textContent = percent;
  slider.setAttribute("aria-valuetext", percent);
  const source = frames.length > 1 ? frames[Number(slider.value)] : frames[0];
  paint(source);
  const stem = picture.name.split("/").pop().replace(/\.[^.]*$/, "") || "picture";
  const download = byId("download");
  download.href = source;
  download.download = `${[stem, ...chosen()].join(".")}.png`;
  const asked = { picture: picture.id, attributes: chosen().join(","), seed: seed ?? "", strength: share };
  byId("photograph").href = `/api/photograph?${new URLSearchParams(asked)}`;
}

function showResult(result) {
  const slider = byId("strength");
  frames = result.way || [result.image];
  Object.assign(slider, { min: 0, max: frames.length > 1 ? frames.length - 1 : 1, step: 1, disabled: frames.length < 2 });
  slider.value = slider.max;
  byId("target").textContent = `to ${target()}`;
  byId("output").setAttribute("aria-label", `${words(picture.name)} translated to ${target()}`);
  showPosition();
  showHow(result);
  for (const button of byId("styles").children) {
    button.setAttribute("aria-pressed", String(button.dataset.seed === String(seed)));
  }
}

function showHow(result) {
  byId("how").hidden = !(result.mask || result.neighbors || model.guided);
  byId("mask-figure").hidden = !result.mask;
  if (result.mask) Object.assign(byId("mask"), { src: result.mask, alt: "Mask: white where the model drew anew" });
  const found = (result.neighbors || []).map((neighbor, rank) => {
    const figure = document.createElement("figure");
    const name = neighbor.id.split("/").pop();
    if (neighbor.image) {
      const alt = `Retrieved image ${rank + 1}`;
      figure.append(Object.assign(new Image(), { src: neighbor.image, alt, title: neighbor.id, className: "thumb" }));
    }
    const caption = document.createElement("figcaption");
    const distance = document.createElement("span");
    distance.className = "soft";
    distance.textContent = `distance ${neighbor.distance.toFixed(3)}`;
    caption.append(neighbor.image ? `Neighbor ${rank + 1}` : name, distance);
    figure.append(caption);
    return figure;
  });
  byId("neighbors").replaceChildren(...found);
  const notes = [];
  if (found.length) notes.push("Real images of the gallery whose content is nearest to the input's guided the model.");
  else if (model.guided) notes.push("An export does not tell which images guided a drawn style.");
  if (!result.mask) notes.push("The mask is on everywhere: the whole image is drawn anew.");
  byId("how-note").textContent = notes.join(" ");
}

function pick(label, source, pressed, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "pick" });
  button.setAttribute("aria-pressed", String(pressed));
  button.append(Object.assign(new Image(), { src: source, alt: label }));
  button.addEventListener("click", act);
  return button;
}

function addStyle(ofSeed, result) {
  const label = ofSeed === null ? "Typical" : `Style ${ofSeed + 1}`;
  const button = pick("", result.image, ofSeed === seed, () => choose(ofSeed));
  button.dataset.seed = String(ofSeed);
  const text = document.createElement("span");
  text.textContent = label;
  button.append(text);
  byId("styles").append(button);
}

// ---- the order of things: the translation at once, then the slider's images, then other styles ----

async function translated(mine, ofSeed) {
  if (!results.has(ofSeed)) {
    const result = await inTurn(mine, "/api/translation", question(ofSeed));
    if (!result) return null;
    results.set(ofSeed, result);
    addStyle(ofSeed, result);
  }
  return results.get(ofSeed);
}

async function addWay(mine, ofSeed) {
  const result = results.get(ofSeed);
  if (!result.way) {
    const answer = await inTurn(mine, "/api/way", question(ofSeed));
    if (!answer) return;
    result.way = answer.images;
  }
  if (isCurrent(mine)) showResult(result);
}

async function work(task) {
  const mine = newTurn();
  byId("output-frame").classList.add("busy");
  try {
    await task(mine);
    if (isCurrent(mine)) complain("");
  } catch (error) {
    if (isCurrent(mine)) complain(error.message);
  }
  if (isCurrent(mine)) {
    byId("output-frame").classList.remove("busy");
    byId("draw").disabled = !picture;
  }
}

async function show(mine, ofSeed) {
  const started = performance.now();
  const fresh = !results.has(ofSeed);
  const result = await translated(mine, ofSeed);
  if (!result) return;
  seed = ofSeed;
  showResult(result);
  byId("output-frame").classList.remove("busy");
  if (fresh) say(`Translated to ${target()} in ${((performance.now() - started) / 1000).toFixed(2)} s`);
  await addWay(mine, ofSeed);
  for (let next = drawn; next < drawn + STYLES; next++) if (!(await translated(mine, next))) return;
}

function choose(ofSeed) {
  return work((mine) => show(mine, ofSeed));
}

function retarget() {
  results = new Map();
  byId("strength").disabled = true;
  byId("styles").replaceChildren();
  return choose(null);
}

function drawOthers() {
  for (let old = drawn; old < drawn + STYLES; old++) {
    results.delete(old);
    byId("styles").querySelector(`[data-seed="${old}"]`)?.remove();
  }
  drawn += STYLES;
  return choose(drawn);
}

function usePicture(described) {
  picture = described;
  byId("input").src = `/api/pictures/${picture.id}.png`;
  byId("input").alt = `Input: ${words(picture.name)}`;
  const [width, height] = picture.size;
  byId("size").textContent = picture.cropped ? `the centre of ${width} × ${height} pixels` : `${width} × ${height} pixels`;
  byId("photograph").hidden = Math.max(width, height) <= model.image_size;
  byId("seen").textContent = `The model sees the picture as ${picture.seen.map(words).join(", ") || "none of these"}.`;
  attributes.preset(picture.seen);
  for (const button of byId("examples").children) {
    button.setAttribute("aria-pressed", String(button.dataset.id === picture.id));
  }
  return retarget();
}

async function upload(file) {
  if (!file) return;
  const limit = Number(document.body.dataset.uploadMb);
  if (file.size > limit * 2 ** 20) {
    complain(`This file is larger than ${limit} MB; choose a smaller one.`);
    return;
  }
  say("Reading the picture …");
  try {
    const path = `/api/pictures?${new URLSearchParams({ name: file.name || "pasted.png" })}`;
    const headers = { "Content-Type": "application/octet-stream" };
    const described = await ask(path, { method: "POST", headers, body: file });
    say("");
    await usePicture(described);
  } catch (error) {
    say("");
    complain(error.message);
  }
}

// ---- listening ----

function listen() {
  const drop = byId("drop");
  const file = byId("file");
  file.addEventListener("change", () => {
    upload(file.files[0]);
    file.value = "";
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    upload(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => upload(event.clipboardData.files[0]));
  byId("attributes").addEventListener("change", () => picture && retarget());
  byId("attributes").addEventListener("submit", (event) => event.preventDefault());
  byId("strength").addEventListener("input", showPosition);
  byId("draw").addEventListener("click", drawOthers);
}

async function begin() {
  listen();
  byId("draw").disabled = true;
  try {
    model = await ask("/api/model");
  } catch (error) {
    complain(error.message);
    return;
  }
  const side = model.image_size;
  byId("model").textContent = `${model.name}, ${model.stage} stage, ${side} × ${side} pixels`;
  document.title = `${model.name}: image translation`;
  attributes.make(model.attributes, model.categorical);
  byId("examples").append(
    ...model.examples.map((example) => {
      const button = pick(`Example ${words(example.name)}`, `/api/pictures/${example.id}.png`, false, () => usePicture(example));
      button.dataset.id = example.id;
      return button;
    }),
  );
  byId("source").textContent = model.examples_from ? `Examples: ${model.examples_from}.` : "";
  if (model.examples.length) await usePicture(model.examples[0]);
}

begin();
