// Data, small helpers and the theme.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const codecs = new Map(data.codecs.map((codec) => [codec.name, codec]));
const metrics = new Map(data.metrics.map((metric) => [metric.name, metric]));
const redraw = []; // what must be drawn again when the colours change

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const signed = (value, digits = 1) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const bytes = (count) => (count < 10000 ? `${count} B` : `${(count / 1000).toFixed(1)} kB`);
const brief = (value) => (value === 0 ? "0" : value < 0.1 ? value.toPrecision(2) : value.toFixed(2));
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
const shade = (look) => (isDark() ? look.dark : look.light);
const repaint = () => redraw.forEach((draw) => draw());
$("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  repaint();
});
systemDark.addEventListener("change", repaint);

/** A value as people read it: similarities become −10·log10(1 − value). */
function shown(metric, value) {
  return metric.decibel ? Math.min(-10 * Math.log10(Math.max(1 - value, 1e-12)), 100) : value;
}
const withUnit = (metric) => (metric.unit ? `${metric.label} (${metric.unit})` : metric.label);

/** A row of buttons of which one is pressed. */
function segments(box, choices, chosen, onChange) {
  const buttons = choices.map(([value, label]) => {
    const button = element("button", { type: "button", textContent: label });
    button.setAttribute("aria-pressed", value === chosen);
    button.addEventListener("click", () => {
      buttons.forEach((other) => other.setAttribute("aria-pressed", other === button));
      onChange(value);
    });
    return button;
  });
  box.replaceChildren(...buttons);
}

function options(select, choices, chosen, onChange) {
  select.replaceChildren(...choices.map(([value, label]) => new Option(label, value, false, value === chosen)));
  select.addEventListener("change", () => onChange(select.value));
}

/** Give a node a codec's colour: the style sheet picks the light or the dark one. */
function tint(node, look) {
  node.classList.add("tint");
  node.style.setProperty("--light", look.light);
  node.style.setProperty("--dark", look.dark);
  return node;
}
const swatch = (codec) => tint(element("span", { className: "swatch" }), codec);
