// Ranks at fixed rates, the sortable table of Bjøntegaard deltas, time against bytes, and the facts of the run.

function drawRanks() {
  const metric = metrics.get(state.metric);
  const table = data.atRates[state.metric];
  const middle = data.rates.length >> 1;
  const order = Object.keys(table).sort((a, b) => (table[b][middle] ?? -Infinity) - (table[a][middle] ?? -Infinity));
  const ranked = data.rates.map((_, column) => order.map((name) => table[name][column]).filter((value) => value !== null).sort((a, b) => b - a));
  const head = element("tr", {}, element("th", { textContent: withUnit(metric) }), ...data.rates.map((rate) => element("th", { textContent: `${rate} bpp` })));
  const rows = order.map((name) => {
    const row = element("tr", { className: name === data.hero ? "hero" : "" }, element("td", {}, swatch(codecs.get(name)), codecs.get(name).label));
    table[name].forEach((value, column) => {
      const place = ranked[column].indexOf(value);
      row.append(element("td", { textContent: value === null ? "–" : value.toFixed(2), className: ["best", "second"][place] ?? "" }));
    });
    return row;
  });
  $("rank-table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
  const wins = order.map((name) => [codecs.get(name).label, data.rates.filter((_, column) => table[name][column] !== null && table[name][column] === ranked[column][0])]);
  const told = wins.filter(([, rates]) => rates.length).map(([label, rates]) => `${label} at ${rates.join(", ")} bpp`);
  $("ranks-note").textContent = `Highest ${metric.label}: ${told.join("; ")}. A dash: the codec's curve doesn't reach that rate.`;
}

const bd = { metric: data.metrics[0]?.name, anchor: data.anchor, column: "rate", rising: true };
const columns = [
  ["label", "Codec"], ["rate", "BD-rate"], ["value", "BD-quality"], ["mean", "single images"], ["low", "common range"], ["encode", "encode s/MP"], ["decode", "decode s/MP"],
];

function bdRows() {
  const deltas = data.bd[bd.metric]?.[bd.anchor] ?? {};
  const images = data.bdImages[bd.anchor] ?? {};
  return data.codecs.map((codec) => {
    const [rate, value, low, high] = deltas[codec.name] ?? [];
    const [mean, best, worst] = images[codec.name] ?? [];
    return { codec, label: codec.label, rate, value, low, high, mean, best, worst, encode: codec.encode, decode: codec.decode };
  });
}

function sorted(rows) {
  const known = (row) => row[bd.column] !== undefined;
  const compare = (a, b) => (bd.column === "label" ? a.label.localeCompare(b.label) : a[bd.column] - b[bd.column]);
  return rows.sort((a, b) => known(b) - known(a) || (known(a) ? (bd.rising ? 1 : -1) * compare(a, b) : 0));
}

function meter(rate, codec, widest) {
  const bar = tint(element("i"), codec);
  const half = (50 * Math.abs(rate)) / widest;
  Object.assign(bar.style, { width: `${half}%`, left: rate < 0 ? `${50 - half}%` : "50%" });
  return element("span", { className: "meter" }, bar);
}

function drawBd() {
  const metric = metrics.get(bd.metric);
  const rows = sorted(bdRows());
  const widest = Math.max(1, ...rows.map((row) => Math.abs(row.rate ?? 0)));
  const head = element("tr", {}, ...columns.map(([key, label]) => {
    const button = element("button", { type: "button", textContent: key === "value" && metric.unit ? `BD-${metric.label} (${metric.unit})` : label });
    button.addEventListener("click", () => {
      bd.rising = bd.column === key ? !bd.rising : true;
      bd.column = key;
      drawBd();
    });
    const th = element("th", {}, button);
    if (bd.column === key) th.setAttribute("aria-sort", bd.rising ? "ascending" : "descending");
    return th;
  }));
  const text = (content) => element("td", { textContent: content ?? "–" });
  const body = rows.map((row) => element("tr", { className: row.codec.name === data.hero ? "hero" : "" },
    element("td", {}, swatch(row.codec), row.label),
    row.codec.name === bd.anchor ? text("anchor") : row.rate === undefined ? text() : element("td", {}, meter(row.rate, row.codec, widest), `${signed(row.rate)} %`),
    text(row.value === undefined || row.codec.name === bd.anchor ? undefined : signed(row.value, 2)),
    text(row.mean === undefined || row.codec.name === bd.anchor ? undefined : `${signed(row.mean)} % (${signed(row.best, 0)} … ${signed(row.worst, 0)})`),
    text(row.low === undefined ? undefined : `${row.low.toFixed(1)} to ${row.high.toFixed(1)}${metric.unit ? ` ${metric.unit}` : ""}`),
    text(brief(row.encode)),
    text(brief(row.decode)),
  ));
  $("bd-table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
}

// Time against bytes: a point a codec, its name beside it.
let timeKind = "decode";
let timeChart;
const names = {
  id: "names",
  afterDatasetsDraw(chart) {
    const { ctx } = chart;
    ctx.save();
    ctx.font = "12px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    chart.data.datasets.forEach((set, index) => {
      const point = chart.getDatasetMeta(index).data[0];
      const width = ctx.measureText(set.label).width;
      const gap = set.pointRadius + 6;
      const before = point.x + gap + width > chart.chartArea.right;
      ctx.fillStyle = set.borderColor;
      ctx.fillText(set.label, before ? point.x - gap - width : point.x + gap, point.y);
    });
    ctx.restore();
  },
};

function drawTime() {
  const rows = bdRows().filter((row) => row.rate !== undefined);
  const anchor = codecs.get(bd.anchor);
  const content = {
    datasets: rows.map((row) => {
      const hero = row.codec.name === data.hero;
      const tone = shade(row.codec);
      return {
        label: row.label, data: [{ x: row[timeKind], y: row.rate }], borderColor: tone, backgroundColor: tone,
        pointStyle: row.codec.point, pointRadius: hero ? 9 : 6, pointHoverRadius: 10, pointBorderWidth: 2,
      };
    }),
  };
  const x = axis(`CPU seconds per megapixel to ${timeKind}`, { type: "logarithmic" });
  const decades = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
  x.afterBuildTicks = (scale) => (scale.ticks = decades.filter((v) => v >= scale.min && v <= scale.max).map((value) => ({ value })));
  x.ticks.callback = (value) => String(value);
  if (!rows.length) return;
  const times = rows.map((row) => row[timeKind]);
  Object.assign(x, { min: Math.min(...times) / 1.5, max: Math.max(...times) * 2.5 });
  const settings = {
    animation: false, responsive: true, maintainAspectRatio: false,
    interaction: { mode: "nearest", intersect: true },
    scales: { x, y: axis(`BD-rate against ${anchor.label} (%)`, { grace: "8%" }) },
    plugins: {
      legend: { display: false },
      tooltip: {
        displayColors: false, backgroundColor: color("--ink"), titleColor: color("--panel"), bodyColor: color("--panel"),
        callbacks: { title: ([item]) => item.dataset.label, label: ({ raw }) => [`${brief(raw.x)} s/MP to ${timeKind}`, `${signed(raw.y)} % bytes`] },
      },
    },
  };
  if (!timeChart) {
    timeChart = new Chart($("time"), { type: "scatter", data: content, options: settings, plugins: [names] });
  } else {
    Object.assign(timeChart, { data: content, options: settings });
    timeChart.update("none");
  }
  $("time-note").textContent = `Down is smaller, left is faster. Median over all images and qualities, model loaded, ${data.facts.threads} core${data.facts.threads > 1 ? "s" : ""} a process, on ${data.facts.machines.join(" and ")}.`;
}

function facts() {
  const run = data.facts;
  const list = [
    ["Date", run.date], ["Machine", run.machines.join("; ")], ["Cores a process", run.threads], ["Command", run.command],
    ["Libraries", run.libraries], ["Metrics", run.metrics], ["Means", "Plain means over the images, at each quality: of bits per pixel, of PSNR in dB, of similarities (then in dB)."],
  ];
  $("facts").replaceChildren(...list.flatMap(([term, text]) => [element("dt", { textContent: term }), element("dd", { textContent: text })]));
  $("problems").replaceChildren(...run.problems.map((line) => element("p", { className: "problem", textContent: line })));
  const head = element("tr", {}, ...["Codec", "Version", "Settings"].map((text) => element("th", { textContent: text, style: "text-align:left" })));
  const rows = data.codecs.map((codec) => element("tr", {}, element("td", {}, swatch(codec), codec.label), element("td", { className: "left", textContent: codec.version }), element("td", { className: "left", textContent: codec.settings })));
  $("codec-table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

facts();
if (data.codecs.length) {
  drawRanks();
  const choices = data.metrics.map((metric) => [metric.name, metric.label]);
  if (!Object.keys(data.bd[bd.metric]).length) document.querySelectorAll(".needs-bd").forEach((panel) => (panel.hidden = true));
  const update = () => { drawBd(); drawTime(); };
  options($("bd-metric"), choices, bd.metric, (name) => { bd.metric = name; update(); });
  options($("bd-anchor"), data.codecs.map((codec) => [codec.name, codec.label]), bd.anchor, (name) => { bd.anchor = name; update(); });
  segments($("time-kind"), [["encode", "encode"], ["decode", "decode"]], timeKind, (kind) => { timeKind = kind; drawTime(); });
  update();
  redraw.push(update);
}
