// What is shown of a translation: before and after in one frame, what was switched, the mask and the neighbors.

import { chosen, listed, switched, words } from "./attributes.js";

const byId = (id) => document.getElementById(id);

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

export function divide() {
  const percent = Number(byId("divider").value);
  byId("compare").style.setProperty("--before", `${percent}%`);
  byId("divider").setAttribute("aria-valuetext", `${percent} % before, ${100 - percent} % after`);
}

export function showInput(picture, small) {
  byId("input").src = `/api/pictures/${picture.id}.png`;
  byId("input").alt = `Before: ${words(picture.name)}; the model sees ${listed(picture.seen)}`;
  const [width, height] = picture.size;
  const pixels = `${width} × ${height} pixels`;
  byId("size").textContent = picture.cropped ? `A square of ${pixels} is what the model sees.` : `The picture has ${pixels}.`;
  byId("crop").hidden = Math.min(width, height) < 2;
  byId("photograph").hidden = small;
  byId("seen").textContent = `The model sees the picture as ${listed(picture.seen)}.`;
  byId("unlike").hidden = !picture.unlike;
  byId("unlike").textContent = picture.unlike || "";
}

export function nameTarget(picture) {
  const { changes, stays } = switched(picture.seen, chosen());
  byId("target").textContent = changes || "Nothing switched: the model draws the picture as it sees it";
  byId("stays").textContent = stays ? `As the model sees the picture: ${stays}.` : "";
  return changes || "nothing switched";
}

// The position of the strength slider, of which 0 is no copy of the picture.
export function showPosition(picture, seed, frames) {
  const slider = byId("strength");
  const share = Number(slider.value) / Number(slider.max);
  const percent = `${Math.round(100 * share)} %`;
  byId("share").textContent = percent;
  const reconstruction = "0 %: the model's reconstruction of the picture, not the picture itself";
  slider.setAttribute("aria-valuetext", share ? percent : reconstruction);
  const source = frames.length > 1 ? frames[Number(slider.value)] : frames[0];
  paint(source);
  const changes = nameTarget(picture);
  byId("output").setAttribute("aria-label", `After: ${words(picture.name)}, ${share ? changes : reconstruction}`);
  const stem = picture.name.split("/").pop().replace(/\.[^.]*$/, "") || "picture";
  const download = byId("download");
  download.href = source;
  download.download = `${[stem, ...chosen()].join(".")}.png`;
  const asked = { picture: picture.id, attributes: chosen().join(","), seed: seed ?? "", strength: share };
  byId("photograph").href = `/api/photograph?${new URLSearchParams(asked)}`;
}

function neighborFigure(neighbor, rank) {
  const figure = document.createElement("figure");
  const name = neighbor.id.split("/").pop();
  if (neighbor.image) {
    const alt = `Gallery picture ${name}, seen as ${listed(neighbor.seen)}`;
    figure.append(Object.assign(new Image(), { src: neighbor.image, alt, title: neighbor.id, className: "thumb" }));
  }
  const caption = document.createElement("figcaption");
  const distance = document.createElement("span");
  distance.className = "soft";
  distance.textContent = `distance ${neighbor.distance.toFixed(3)}`;
  caption.append(neighbor.image ? `Neighbor ${rank + 1}` : name, distance);
  figure.append(caption);
  return figure;
}

export function showHow(result, guided) {
  byId("how").hidden = !(result.mask || result.neighbors || guided);
  byId("mask-figure").hidden = !result.mask;
  const drawn = `Mask: ${Math.round(100 * result.drawn)} % of the picture was drawn anew`;
  if (result.mask) Object.assign(byId("mask"), { src: result.mask, alt: drawn });
  const found = (result.neighbors || []).map(neighborFigure);
  byId("neighbors").replaceChildren(...found);
  const notes = [];
  if (found.length) notes.push("Real images of the gallery whose content is nearest to the input's guided the model.");
  else if (guided) notes.push("An export does not tell which images guided a drawn style.");
  notes.push(result.mask ? `${drawn}.` : "The mask is on everywhere: the whole image is drawn anew.");
  byId("how-note").textContent = notes.join(" ");
}
