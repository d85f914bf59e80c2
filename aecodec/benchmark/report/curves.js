// The sentences, the rate–distortion chart and the chart of time.

const state = { metric: data.metrics[0]?.name, image: "", log: true, hidden: new Set(), emphasised: "" };
data.published.forEach((curve, index) => curve.shown || state.hidden.add(`published ${index}`));
const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

function summary() {
  const hero = codecs.get(data.hero);
  const facts = data.facts;
  $("title").textContent = `${hero?.label ?? "Codecs"} against its peers on ${facts.folder}`;
  $("subtitle").textContent = `${facts.images} images, ${facts.megapixels.toFixed(1)} megapixels · ${facts.date} · aecodec ${facts.aecodec}`;
  document.title = `${facts.folder}: rate–distortion benchmark`;
  const cards = data.sentences.map((sentence) => {
    const anchor = codecs.get(sentence.anchor);
    const card = element("li", { className: sentence.rate < 0 ? "better" : "worse", title: `${sentence.text} (${sentence.range.map((v) => v.toFixed(1)).join(" to ")} dB)` });
    card.append(element("b", { textContent: `${Math.abs(sentence.rate).toFixed(1)} %` }), `${sentence.rate < 0 ? "smaller" : "larger"} than ${anchor.label}`);
    return card;
  });
  $("lead").textContent = cards.length ? `At equal PSNR, averaged over the range both cover, ${hero.label}'s files are` : "";
  $("sentences").replaceChildren(...cards);
}

function dataset(name, label, points, metric, look) {
  const values = points[metric.name];
  return {
    name, label, points,
    data: values ? values.map((value, index) => ({ x: points.bpp[index], y: shown(metric, value), index })) : [],
    hidden: state.hidden.has(name),
    showLine: true,
    ...look,
  };
}

function datasets() {
  const metric = metrics.get(state.metric);
  const faint = (name, tone) => (state.emphasised && state.emphasised !== name ? `${tone}38` : tone);
  const measured = data.codecs.map((codec) => {
    const tone = faint(codec.name, shade(codec));
    const hero = codec.name === data.hero;
    const points = state.image ? data.images[state.image][codec.name] : codec.points;
    return dataset(codec.name, codec.label, points, metric, {
      borderColor: tone, backgroundColor: tone, pointBorderColor: tone, pointStyle: codec.point, borderDash: dashes[Math.min(codec.variant, 3)],
      borderWidth: hero ? 3.5 : 1.6, pointRadius: hero ? 4.5 : 3.2, pointHoverRadius: 7, order: hero ? 0 : 1, codec,
    });
  });
  const published = state.image ? [] : data.published.map((curve, index) => {
    const tone = faint(`published ${index}`, shade(data.publishedColor));
    return dataset(`published ${index}`, curve.label, curve.points, metric, {
      borderColor: tone, backgroundColor: tone, borderDash: [1.5, 3.5], borderWidth: 1.5, pointRadius: 0, pointHoverRadius: 4, order: 2, published: curve,
    });
  });
  return [...measured, ...published];
}

function tooltip() {
  return {
    backgroundColor: color("--ink"), titleColor: color("--panel"), bodyColor: color("--panel"), padding: 10, displayColors: false,
    callbacks: {
      title: ([item]) => item.dataset.label + (item.dataset.published ? " (published)" : ""),
      label: (item) => {
        const { raw, dataset: { points, codec, published } } = item;
        const metric = metrics.get(state.metric);
        const plain = points[metric.name][raw.index];
        return [
          ...(codec ? [`quality ${points.quality[raw.index]}`] : []),
          `${raw.x.toFixed(3)} bpp`,
          `${withUnit(metric)} ${raw.y.toFixed(2)}${metric.decibel ? ` = ${plain.toFixed(4)}` : ""}`,
          ...(published?.source ? [published.source.slice(0, 70)] : []),
        ];
      },
    },
  };
}

function axis(text, extra = {}) {
  return {
    title: { display: true, text, color: color("--soft") },
    grid: { color: color("--grid") }, border: { color: color("--line") },
    ticks: { color: color("--soft"), maxRotation: 0 },
    ...extra,
  };
}

const rateTicks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
let curvesChart;
function drawCurves() {
  const metric = metrics.get(state.metric);
  const x = axis("bits per pixel of the whole file", { type: state.log ? "logarithmic" : "linear" });
  if (state.log) {
    x.afterBuildTicks = (scale) => (scale.ticks = rateTicks.filter((v) => v >= scale.min && v <= scale.max).map((value) => ({ value })));
    x.ticks.callback = (value) => String(value);
  } else {
    x.min = 0;
  }
  const content = { datasets: datasets() };
  const heights = content.datasets.filter((set) => !set.hidden).flatMap((set) => set.data.map((point) => point.y));
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const y = axis(withUnit(metric), heights.length ? { min: low - (high - low) * 0.04, max: high + (high - low) * 0.04 } : {});
  y.ticks.includeBounds = false;
  const settings = {
    animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
    interaction: { mode: "nearest", intersect: false },
    scales: { x, y },
    plugins: { legend: { display: false }, tooltip: tooltip() },
  };
  if (!curvesChart) {
    curvesChart = new Chart($("curves"), { type: "scatter", data: content, options: settings });
  } else {
    Object.assign(curvesChart, { data: content, options: settings });
    curvesChart.update("none");
  }
}

/** A small drawing of the curve's line beside its name. */
function sample(look) {
  const dot = look.dot ? '<circle cx="13" cy="6" r="3.4" fill="currentColor"/>' : "";
  const line = `<path d="M0 6H26" stroke="currentColor" stroke-width="${look.width}" stroke-dasharray="${look.dash.join(" ")}"/>`;
  return tint(element("span", { innerHTML: `<svg viewBox="0 0 26 12" aria-hidden="true">${line}${dot}</svg>` }), look);
}

function chip(name, label, look, className = "") {
  const button = element("button", { type: "button", className }, sample(look), label);
  button.dataset.name = name;
  const refresh = () => button.setAttribute("aria-pressed", !state.hidden.has(name));
  refresh();
  button.addEventListener("click", () => {
    state.hidden.delete(name) || state.hidden.add(name);
    refresh();
    drawCurves();
  });
  const emphasise = (value) => {
    state.emphasised = value && !state.hidden.has(name) ? value : "";
    drawCurves();
  };
  button.addEventListener("mouseenter", () => emphasise(name));
  button.addEventListener("mouseleave", () => emphasise(""));
  return button;
}

function legend() {
  $("legend").replaceChildren(...data.codecs.map((codec) => {
    const hero = codec.name === data.hero;
    const look = { light: codec.light, dark: codec.dark, dash: dashes[Math.min(codec.variant, 3)], width: hero ? 3.5 : 2, dot: true };
    return chip(codec.name, codec.label, look, hero ? "hero" : "");
  }));
  if (!data.published.length) return;
  $("published").hidden = false;
  const chips = data.published.map((curve, index) => chip(`published ${index}`, curve.label, { ...data.publishedColor, dash: [1.5, 3.5], width: 2 }));
  $("published-shown").replaceChildren(...chips.filter((_, index) => data.published[index].shown));
  const more = chips.filter((_, index) => !data.published[index].shown);
  $("published-more").replaceChildren(...more);
  document.querySelector("#published details").hidden = !more.length;
  document.querySelector("#published summary").textContent = `${more.length} more published curves`;
}

summary();
if (data.codecs.length) {
  segments($("metric"), data.metrics.map((metric) => [metric.name, metric.label]), state.metric, (name) => {
    state.metric = name;
    drawCurves();
    drawRanks();
  });
  const names = Object.keys(data.images);
  options($("image"), [["", `all ${names.length} images (mean)`], ...names.map((name) => [name, name])], "", (name) => {
    state.image = name;
    drawCurves();
  });
  $("log").addEventListener("click", () => {
    state.log = !state.log;
    $("log").setAttribute("aria-pressed", state.log);
    drawCurves();
  });
  legend();
  drawCurves();
  redraw.push(drawCurves);
}
