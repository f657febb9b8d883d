// The page of bin/demo: what is chosen goes to the server, which answers with images as data URLs.

import { ask, inTurn, isCurrent, newTurn } from "./ask.js";
import * as attributes from "./attributes.js";
import { chosen, listed, switched, words } from "./attributes.js";
import * as crop from "./crop.js";
import { divide, nameTarget, showHow, showInput, showPosition } from "./result.js";
import { pick, press } from "./tiles.js";

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

function showResult(result) {
  const slider = byId("strength");
  frames = result.way || [result.image];
  Object.assign(slider, { min: 0, max: frames.length > 1 ? frames.length - 1 : 1, step: 1, disabled: frames.length < 2 });
  slider.value = slider.max;
  showPosition(picture, seed, frames);
  showHow(result, model.guided);
  press(byId("styles"), (button) => button.dataset.seed === String(seed));
}

function addStyle(ofSeed, result) {
  const label = ofSeed === null ? "Typical" : `Style ${ofSeed + 1}`;
  const button = pick(result.image, "", label, () => choose(ofSeed));
  button.dataset.seed = String(ofSeed);
  byId("styles").append(button);
  press(byId("styles"), (each) => each.dataset.seed === String(seed));
}

function pressTarget() {
  const now = chosen().sort().join();
  press(byId("targets"), (button) => button.dataset.attributes === now);
}

function addTargets(targets) {
  const buttons = targets.map((target) => {
    const { changes } = switched(picture.seen, target.attributes);
    const button = pick(target.image, "", changes.replace(/ instead of .*/, ""), () => {
      attributes.preset(target.attributes);
      retarget();
    });
    button.title = changes;
    button.dataset.attributes = [...target.attributes].sort().join();
    return button;
  });
  byId("targets").replaceChildren(...buttons);
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
  byId("compare").classList.add("busy");
  try {
    await task(mine);
    if (isCurrent(mine)) complain("");
  } catch (error) {
    if (isCurrent(mine)) complain(error.message);
  }
  if (isCurrent(mine)) {
    byId("compare").classList.remove("busy");
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
  byId("compare").classList.remove("busy");
  if (fresh) say(`Translated in ${((performance.now() - started) / 1000).toFixed(2)} s`);
  await addWay(mine, ofSeed);
  for (let next = drawn; next < drawn + STYLES; next++) if (!(await translated(mine, next))) return;
}

function choose(ofSeed) {
  return work((mine) => show(mine, ofSeed));
}

function forget() {
  results = new Map();
  byId("strength").disabled = true;
  byId("styles").replaceChildren();
}

function retarget() {
  forget();
  pressTarget();
  nameTarget(picture);
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

// All targets of a picture are shown, and the one that changes most is chosen: a change is seen at first sight.
function usePicture(described) {
  picture = described;
  showInput(picture, Math.max(...picture.size) <= model.image_size);
  press(byId("examples"), (button) => button.dataset.id === picture.id);
  attributes.preset(picture.seen);
  forget();
  byId("targets").replaceChildren();
  return work(async (mine) => {
    const { targets, boldest } = (await inTurn(mine, "/api/targets", question(null))) || {};
    if (!targets) return;
    addTargets(targets);
    if (boldest !== null) attributes.preset(targets[boldest].attributes);
    pressTarget();
    await show(mine, null);
  });
}

async function take(path, options) {
  say("Reading the picture …");
  try {
    const described = await ask(path, { method: "POST", ...options });
    say("");
    await usePicture(described);
  } catch (error) {
    say("");
    complain(error.message);
  }
}

function upload(file) {
  if (!file) return;
  const limit = Number(document.body.dataset.uploadMb);
  if (file.size > limit * 2 ** 20) {
    complain(`This file is larger than ${limit} MB; choose a smaller one.`);
    return;
  }
  const path = `/api/pictures?${new URLSearchParams({ name: file.name || "pasted.png" })}`;
  take(path, { headers: { "Content-Type": "application/octet-stream" }, body: file });
}

function cutSquare() {
  const cut = (box) =>
    take(`/api/pictures/${picture.id}`, {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ box }),
    });
  crop.choose(picture, cut);
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
  byId("strength").addEventListener("input", () => showPosition(picture, seed, frames));
  byId("divider").addEventListener("input", divide);
  byId("draw").addEventListener("click", drawOthers);
  byId("crop").addEventListener("click", cutSquare);
  crop.listen();
}

async function begin() {
  listen();
  divide();
  byId("draw").disabled = true;
  // The result is on a phone's first screen, where it is seen to change.
  byId("several").open = matchMedia("(min-width: 56rem)").matches;
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
      const alt = `Example ${words(example.name)}, seen as ${listed(example.seen)}`;
      const button = pick(`/api/pictures/${example.id}.png`, alt, "", () => usePicture(example));
      button.dataset.id = example.id;
      return button;
    }),
  );
  byId("source").textContent = model.examples_from ? `Examples: ${model.examples_from}.` : "";
  if (model.examples.length) await usePicture(model.examples[0]);
}

begin();
