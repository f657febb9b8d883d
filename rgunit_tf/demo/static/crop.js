// The square of a picture that the model sees: moved by pointer or arrow keys, sized by a slider.

const byId = (id) => document.getElementById(id);
const STEP = 0.02; // of the shorter side, an arrow key

let size = [1, 1]; // of the picture, pixels
let box = [0, 0, 1]; // left, upper, side
let taken = null; // what is done with a box

function show() {
  const [width, height] = size;
  const square = byId("square").style;
  square.left = `${(100 * box[0]) / width}%`;
  square.top = `${(100 * box[1]) / height}%`;
  square.width = `${(100 * box[2]) / width}%`;
  square.height = `${(100 * box[2]) / height}%`;
  const percent = Math.round((100 * box[2]) / Math.min(width, height));
  byId("side").value = percent;
  byId("side-share").textContent = `${percent} %`;
}

function move(left, upper) {
  box[0] = Math.max(0, Math.min(Math.round(left), size[0] - box[2]));
  box[1] = Math.max(0, Math.min(Math.round(upper), size[1] - box[2]));
  show();
}

// About its middle.
function resize(share) {
  const middle = [box[0] + box[2] / 2, box[1] + box[2] / 2];
  box[2] = Math.max(1, Math.round(Math.min(...size) * Math.max(0.1, Math.min(share, 1))));
  move(middle[0] - box[2] / 2, middle[1] - box[2] / 2);
}

function drag(event) {
  const square = byId("square");
  const scale = size[0] / byId("whole").getBoundingClientRect().width;
  const start = [event.clientX, event.clientY, box[0], box[1]];
  const follow = (moved) =>
    move(start[2] + (moved.clientX - start[0]) * scale, start[3] + (moved.clientY - start[1]) * scale);
  square.setPointerCapture(event.pointerId);
  square.addEventListener("pointermove", follow);
  for (const end of ["pointerup", "pointercancel"]) {
    square.addEventListener(end, () => square.removeEventListener("pointermove", follow), { once: true });
  }
}

function key(event) {
  const step = STEP * Math.min(...size);
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (moves[event.key]) move(box[0] + moves[event.key][0] * step, box[1] + moves[event.key][1] * step);
  else if ("+=-".includes(event.key)) resize(box[2] / Math.min(...size) + (event.key === "-" ? -0.05 : 0.05));
  else return;
  event.preventDefault();
}

// Opens the tool on what the server says of a picture.
export function choose(picture, act) {
  size = picture.size;
  const [left, upper, right, lower] = picture.box;
  box = [left, upper, Math.min(right - left, lower - upper)];
  taken = act;
  byId("whole-picture").src = `/api/pictures/${picture.id}.jpg`;
  byId("whole").style.aspectRatio = `${size[0]} / ${size[1]}`;
  byId("whole").style.maxWidth = `calc(60vh * ${size[0] / size[1]})`;
  show();
  byId("cropper").showModal();
  byId("square").focus();
}

export function listen() {
  byId("square").addEventListener("pointerdown", drag);
  byId("square").addEventListener("keydown", key);
  byId("side").addEventListener("input", () => resize(Number(byId("side").value) / 100));
  byId("leave").addEventListener("click", () => byId("cropper").close());
  byId("cut").addEventListener("click", () => {
    byId("cropper").close();
    taken(box);
  });
}
