// Two decoded files over each other with a divider between them.

const view = { image: 0, rate: 0, left: data.anchor, right: data.hero, divider: 0.5, zoom: 1, x: 0, y: 0 };
const ORIGINAL = "original";
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function drawPictures() {
  const entry = data.crops[view.image];
  const rate = entry.rates[view.rate];
  for (const side of ["left", "right"]) {
    const name = view[side];
    const crop = name === ORIGINAL ? null : rate.codecs[name];
    $(side).src = `data:image/webp;base64,${crop ? crop.webp : entry.original}`;
    $(side).alt = name === ORIGINAL ? "original" : codecs.get(name).label;
    $(`${side}-caption`).replaceChildren(
      element("b", { textContent: crop ? codecs.get(name).label : "Original" }),
      crop ? ` ${bytes(crop.bytes)} · ${crop.psnr.toFixed(2)} dB` : " without loss",
    );
  }
  const [left, top, right, bottom] = entry.window;
  $("stage").style.aspectRatio = `${right - left} / ${bottom - top}`;
}

/** Place pictures and divider; a picture that is zoomed in never leaves the stage. */
function place() {
  const { width, height } = $("stage").getBoundingClientRect();
  view.x = clamp(view.x, width * (1 - view.zoom), 0);
  view.y = clamp(view.y, height * (1 - view.zoom), 0);
  const cut = view.divider * width;
  for (const side of ["left", "right"]) {
    $(side).style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    $(side).style.imageRendering = view.zoom > 1 ? "pixelated" : "auto";
  }
  $("right").style.clipPath = `inset(0 0 0 ${(cut - view.x) / view.zoom}px)`;
  $("divider").style.left = `${cut}px`;
  $("divider").setAttribute("aria-valuenow", Math.round(view.divider * 100));
}

function zoomTo(zoom, x, y) {
  const factor = zoom / view.zoom;
  Object.assign(view, { zoom, x: x - (x - view.x) * factor, y: y - (y - view.y) * factor });
  place();
}

/** Follow a pointer from its press to its release with (dx, dy). */
function drag(target, onMove) {
  target.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    event.preventDefault();
    target.setPointerCapture(event.pointerId);
    let [x, y] = [event.clientX, event.clientY];
    const move = (e) => {
      onMove(e.clientX - x, e.clientY - y);
      [x, y] = [e.clientX, e.clientY];
    };
    target.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) {
      target.addEventListener(end, () => target.removeEventListener("pointermove", move), { once: true });
    }
  });
}

function moveDivider(dx) {
  view.divider = clamp(view.divider + dx / $("stage").clientWidth, 0, 1);
  place();
}

function rateButtons() {
  const entry = data.crops[view.image];
  segments($("crop-rate"), entry.rates.map((rate, index) => [index, `${bytes(rate.bytes)} (${rate.bpp} bpp)`]), view.rate, (index) => {
    view.rate = index;
    drawPictures();
  });
}

function thumbs() {
  const buttons = data.crops.map((entry, index) => {
    const button = element("button", { type: "button", title: entry.image }, element("img", { src: `data:image/webp;base64,${entry.original}`, alt: entry.image }));
    button.setAttribute("aria-pressed", index === view.image);
    button.addEventListener("click", () => {
      view.image = index;
      buttons.forEach((other) => other.setAttribute("aria-pressed", other === button));
      rateButtons();
      drawPictures();
      place();
    });
    return button;
  });
  $("thumbs").replaceChildren(...buttons);
}

if (data.crops.length) {
  $("viewer-panel").hidden = false;
  const choices = [[ORIGINAL, "Original"], ...data.codecs.map((codec) => [codec.name, codec.label])];
  if (view.left === view.right) view.left = ORIGINAL;
  for (const side of ["left", "right"]) {
    options($(`${side}-codec`), choices, view[side], (name) => { view[side] = name; drawPictures(); });
  }
  rateButtons();
  thumbs();
  const setZoom = (zoom) => zoomTo(zoom, $("stage").clientWidth / 2, $("stage").clientHeight / 2);
  segments($("zoom"), [1, 2, 4].map((zoom) => [zoom, `${zoom}×`]), 1, setZoom);
  drag($("divider"), moveDivider);
  drag($("stage"), (dx, dy) => {
    Object.assign(view, { x: view.x + dx, y: view.y + dy });
    place();
  });
  $("divider").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -20, ArrowRight: 20 }[event.key];
    if (step) {
      event.preventDefault();
      moveDivider(step);
    }
  });
  addEventListener("resize", place);
  drawPictures();
  place();
}
