"use strict";
// The status page. docs/status.md tells where its data comes from. What the run says goes into the page as text only.

const STALE_S = 10;      // without an event the page is old
const DEAD_S = 45;       // without a byte (a heartbeat comes every 15 s) the connection is
const SUMMARY_S = 30;    // read aloud no more often
const DETAILS_S = 5;     // the whole status is fetched no more often
const CELLS = 2000;      // of the map; where there are more segments, a cell stands for several
const STATES = {w: "waiting", u: "upscaling", U: "upscaled", e: "encoding", d: "done"};
const ENDS = {done: "done", failed: "failed", interrupted: "interrupted"};

const $ = id => document.getElementById(id);
const now = () => performance.now() / 1000;

let run = null;          // the last event
let whole = null;        // the last whole status
let heard = now();       // when an event came
let linked = false;      // a stream of events is open
let points = [];         // of the charts
let segment = -1;        // shown
let latest = true;       // follows the run
let detail = false;
let worst = false;

// ---- small tools

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

// Only where it changes, so that nothing is read aloud, or loses a selection, without need.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// As many children as items, each kept from one time to the next.
function sync(parent, items, create, update) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(create());
  items.forEach((item, i) => update(parent.children[i], item));
}

const count = n => n.toLocaleString("en");
const fixed = (n, digits) => n.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
const known = (n, text) => n === null || n < 0 ? "not known" : text(n);
// These three round as base/figure_text.hpp does.
const fps = n => known(n, v => v < 0.95 ? String(Number(v.toPrecision(2))) : fixed(v, v < 9.95 ? 1 : 0));
const rate = (latest, mean) => over() || latest < 0 ? `${fps(mean)} fps` : `${fps(latest)} fps\nmean ${fps(mean)}`;
const decibels = n => known(n, v => `${fixed(v, 1)} dB`);
const percent = (part, all) => all > 0 ? Math.floor(100 * part / all) : 0;

function bytes(n) {
  let unit = 0;
  for (; n >= 999.5 && unit < 4; ++unit) n /= 1000;
  return `${fixed(n, unit === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2)} ${["bytes", "kB", "MB", "GB", "TB"][unit]}`;
}

function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  const tens = Math.round(seconds / 10);
  if (tens < 60) return `${Math.floor(tens / 6)} min` + (tens % 6 ? ` ${tens % 6 * 10} s` : "");
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  if (minutes < 600) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes < 5760 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

function clock(seconds) {
  const far = seconds > 43200;
  return new Date(Date.now() + seconds * 1000)
    .toLocaleTimeString([], {weekday: far ? "short" : undefined, hour: "2-digit", minute: "2-digit"});
}

// {label, value, max, text}: a name, a bar, what it says.
function bar(role) {
  const element = make("div", "bar");
  const words = make("div", "bar-text");
  words.append(make("span"), make("span", "quiet"));
  const track = make("div", "track");
  track.setAttribute("role", role);
  track.setAttribute("aria-valuemin", "0");
  track.append(make("div"));
  element.append(words, track);
  return element;
}

function setBar(element, {label, value, max, text, second}) {
  const [words, track] = element.children;
  element.classList.toggle("second", Boolean(second));
  say(words.children[0], label);
  say(words.children[1], text);
  track.setAttribute("aria-label", label);
  track.setAttribute("aria-valuemax", max);
  track.setAttribute("aria-valuenow", value);
  track.setAttribute("aria-valuetext", text);
  track.firstChild.style.width = `${max > 0 ? Math.min(100, 100 * value / max) : 0}%`;
}

// [[name, value]…]
function setFacts(list, facts) {
  const create = () => {
    const pair = make("div");
    pair.append(make("dt"), make("dd"));
    return pair;
  };
  sync(list, facts, create, (pair, [name, value]) => {
    say(pair.children[0], name);
    say(pair.children[1], value);
  });
}

// ---- the run as a whole

const made = () => run.in_chunks ? run.frames_encoded : run.frames_upscaled;
const over = () => run !== null && run.state in ENDS;

// As the terminal has it.
function timeLeft() {
  if (run.left_s >= 0 || run.state !== "working" || run.message) return known(run.left_s, span);
  if (run.in_chunks) return "known soon";
  if (!(run.upscale_fps_mean > 0)) return "known after the first frames";
  return `${span((run.frames_total - run.frames_upscaled) / run.upscale_fps_mean)} of upscaling, then the encode`;
}

function showProgress() {
  const bars = [["Upscaled", run.frames_upscaled, false]];
  if (run.in_chunks) bars.push(["Encoded", run.frames_encoded, true]);
  sync($("bars"), bars, () => bar("progressbar"), (element, [label, frames, second]) =>
    setBar(element, {label, value: frames, max: run.frames_total, second,
      text: `${percent(frames, run.frames_total)}% · ${count(frames)} of ${count(run.frames_total)} frames`}));

  const facts = [["State", run.state]];
  if (!over()) {
    facts.push(["Time left", timeLeft()]);
    if (run.left_s >= 0) facts.push(["Ready at", clock(run.left_s)]);
  }
  facts.push(["Running for", span(run.elapsed_s)], ["Upscaling", rate(run.upscale_fps, run.upscale_fps_mean)]);
  if (run.in_chunks) facts.push(["Encoding", rate(run.encode_fps, run.encode_fps_mean)]);
  facts.push(["Written", bytes(run.bytes_written)], ["Free on disk", known(run.bytes_free, bytes)]);
  setFacts($("facts"), facts);

  say($("message"), run.message);
  $("message").hidden = !run.message;
  $("message").className = run.state === "failed" ? "error" : "warning";
  say($("limit"), `Limited ${run.limit}`);
  $("limit").hidden = !run.limit || over();

  say($("title"), `${percent(made(), run.frames_total)}% · ${run.film || "vsr-dist"}`);
  const name = run.job_name ? ` · job ${run.job_name}` : "";
  say($("subtitle"), `${run.source_width}×${run.source_height} to ${run.width}×${run.height} at ` +
    `${run.fps_of_film} frames a second · ${run.run_dir} on ${run.host}${name}`);
  document.title = `${percent(made(), run.frames_total)}% ${run.film} – vsr-dist`;
  say($("about"), `vsr-dist ${run.program_version}, started ${new Date(run.started).toLocaleString()}`);
}

function showQuality() {
  const which = run.worst_frame >= 0 ? `\nframe ${count(run.worst_frame)}` : "";
  setFacts($("quality"), [["Mean", decibels(run.quality_db)], ["Worst", decibels(run.worst_db) + which],
    ["Frames measured", count(run.frames_measured)]]);
}

function showLists() {
  $("films-part").hidden = run.films.length === 0;
  sync($("films"), run.films, () => make("li"), say);
  say($("folder"), run.run_dir);
  $("notices-part").hidden = run.notices.length === 0;
  sync($("notices"), [...run.notices].reverse(), () => make("li"), (item, notice) => {
    item.className = notice.level;
    say(item, `${notice.level} at ${new Date(notice.time).toLocaleTimeString()}, rank ${notice.rank}: ${notice.text}`);
  });
}

let summaryAt = -SUMMARY_S;
let summaryState = "";
function summarize() {
  if (run.state === summaryState && (over() || now() - summaryAt < SUMMARY_S)) return;
  summaryAt = now();
  summaryState = run.state;
  const left = run.left_s >= 0 && !over() ? `, ${span(run.left_s)} left` : "";
  say($("summary"), `${run.film}: ${run.state}, ${percent(made(), run.frames_total)} percent${left}`);
}

// ---- ranks

function rankCard() {
  const card = make("article", "card");
  card.append(make("h3"), make("p"), make("div"), make("p", "quiet"));
  return card;
}

function showRank(card, rank) {
  const [title, state, bars, facts] = card.children;
  say(title, `Rank ${rank.rank} on ${rank.host}`);
  const silent = rank.state === "silent";
  say(state, silent ? `not heard of for ${span(rank.silent_s)}` : rank.state + (rank.limit ? `, limited by ${rank.limit}` : ""));
  state.className = silent ? "error" : rank.state === "working" ? "good" : "quiet";

  const items = rank.work.map(work => ({
    label: `${work.kind === "chunk" ? "encodes" : "upscales"} segment ${work.segment}` +
      (work.attempt > 1 ? `, attempt ${work.attempt}` : ""),
    value: work.frame, max: work.frames, second: work.kind === "chunk",
    text: `${work.frame} of ${work.frames} frames` + (work.windows > 0 ? `, window ${work.window + 1} of ${work.windows}` : ""),
  }));
  for (const queue of rank.queues) {
    items.push({label: `${queue.name} pictures`, value: queue.used, max: queue.size, text: `${queue.used} of ${queue.size}`});
  }
  if (rank.gpu && rank.gpu.load >= 0) {
    items.push({label: "GPU load", value: rank.gpu.load, max: 1, text: `${Math.round(100 * rank.gpu.load)}%`});
  }
  if (rank.gpu && rank.gpu.memory > 0 && rank.gpu.memory_used >= 0) {
    items.push({label: "GPU memory", value: rank.gpu.memory_used, max: rank.gpu.memory,
      text: `${bytes(rank.gpu.memory_used)} of ${bytes(rank.gpu.memory)}`});
  }
  if (rank.cpu_load >= 0) {
    items.push({label: "Processors", value: rank.cpu_load, max: rank.cpus, text: `${fixed(rank.cpu_load, 1)} of ${rank.cpus} busy`});
  }
  sync(bars, items, () => bar("meter"), setBar);
  say(facts, [rank.gpu ? rank.gpu.name : "no GPU", rank.fps >= 0 ? `${fps(rank.fps)} frames a second` : ""].filter(Boolean).join(" · "));
}

// ---- the map of segments

const inCell = () => Math.max(1, Math.ceil(run.segment_states.length / CELLS));

function cell() {
  const element = make("div");
  element.setAttribute("role", "option");
  element.id = `cell-${$("map").children.length}`;
  return element;
}

function showMap() {
  const states = run.segment_states;
  const each = inCell();
  const cells = [];
  for (let first = 0; first < states.length; first += each) {
    // Of several the one that is least far.
    const letters = states.slice(first, first + each);
    const letter = [..."wuUed"].find(l => letters.includes(l));
    cells.push({first, last: first + letters.length - 1, letter});
  }
  sync($("map"), cells, cell, (element, {first, last, letter}) => {
    if (element.textContent !== letter) {
      element.textContent = letter;
      element.className = `state-${letter}`;
      element.setAttribute("aria-label",
        `${first === last ? `Segment ${first}` : `Segments ${first} to ${last}`}: ${STATES[letter]}`);
    }
  });
  sync($("legend"), Object.entries(STATES), () => {
    const item = make("li");
    item.append(make("span"), document.createTextNode(""));
    return item;
  }, (item, [letter, name]) => {
    item.firstChild.className = `state-${letter}`;
    item.firstChild.textContent = letter;
    item.lastChild.data = ` ${name}: ${count(states.split(letter).length - 1)}`;
  });
  markCell();
}

function markCell() {
  const at = Math.floor(segment / inCell());
  const map = $("map");
  const marked = map.querySelector("[aria-selected=true]");
  const wanted = segment >= 0 ? map.children[at] : null;
  if (marked === wanted) return;
  if (marked) marked.setAttribute("aria-selected", "false");
  if (!wanted) return;
  wanted.setAttribute("aria-selected", "true");
  map.setAttribute("aria-activedescendant", wanted.id);
  // Not scrollIntoView(), which moves the page too.
  if (wanted.offsetTop < map.scrollTop) map.scrollTop = wanted.offsetTop - 4;
  const below = wanted.offsetTop + wanted.offsetHeight - map.clientHeight;
  if (below > map.scrollTop) map.scrollTop = below + 4;
}

function choose(index) {
  latest = false;
  segment = Math.max(0, Math.min(run.segment_states.length - 1, index));
  showChoice();
}

$("map").addEventListener("click", event => {
  const at = [...$("map").children].indexOf(event.target);
  if (at >= 0) choose(at * inCell());
});

$("map").addEventListener("keydown", event => {
  const columns = getComputedStyle($("map")).gridTemplateColumns.split(" ").length;
  const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns}[event.key];
  const at = Math.max(0, segment);
  if (step) choose(at + step * inCell());
  else if (event.key === "Home") choose(0);
  else if (event.key === "End") choose(run.segment_states.length - 1);
  else return;
  event.preventDefault();
});

// ---- before and after

const pictures = {before: $("before"), after: $("after")};
let shown = "";  // what the pictures are of

function split() {
  const at = Number($("slider").value);
  pictures.after.style.clipPath = `inset(0 0 0 ${at}%)`;
  $("divider").style.left = `${at}%`;
  $("slider").setAttribute("aria-valuetext", `${at}% before, ${100 - at}% after`);
}

// Segments that have pictures, as far as is known.
const hasPictures = index => whole !== null && index in whole.segments && whole.segments[index].has_preview;

async function picture(kind) {
  // Of the worst frame there is no detail.
  const answer = await ask(`/preview/${segment}/${worst ? "worst-" : detail ? "detail-" : ""}${kind}.jpg`);
  return answer.ok ? URL.createObjectURL(await answer.blob()) : null;
}

async function showPictures() {
  const wanted = [segment, worst, detail, whole && segment in whole.segments ? whole.segments[segment].attempt : 0].join();
  if (wanted === shown) return;
  shown = wanted;
  let urls = null;
  try {
    if (segment >= 0) urls = await Promise.all([picture("before"), picture("after")]);
  } catch {  // the server is gone: what is shown stays
    if (wanted === shown) shown = "";
    return;
  }
  if (urls && !urls.every(Boolean)) urls = null;
  if (wanted !== shown) {  // another was chosen meanwhile
    if (urls) urls.forEach(URL.revokeObjectURL);
    return;
  }
  $("compare").hidden = !urls;
  $("no-picture").hidden = Boolean(urls);
  say($("no-picture"), segment < 0 ? "No segment has pictures yet." : `Segment ${segment} has no such pictures yet.`);
  if (!urls) {
    shown = hasPictures(segment) ? "" : shown;  // tried again with the next event
    return;
  }
  ["before", "after"].forEach((kind, i) => {
    const old = pictures[kind].src;
    pictures[kind].src = urls[i];
    pictures[kind].alt = `${worst ? "The worst frame" : "A frame"} of segment ${segment}, ${kind}${detail && !worst ? ", a detail" : ""}`;
    if (old) URL.revokeObjectURL(old);
  });
  await pictures.after.decode().catch(() => {});
  // A detail is shown pixel by pixel where there is room.
  $("compare").style.width = detail && !worst ? `${pictures.after.naturalWidth}px` : "100%";
}

function showChoice() {
  if (latest) segment = run.latest_preview;
  $("latest").setAttribute("aria-pressed", String(latest));
  $("detail").setAttribute("aria-pressed", String(detail));
  $("worst").setAttribute("aria-pressed", String(worst));
  $("detail").disabled = worst;
  markCell();
  showPictures();
  if (segment < 0) return say($("segment"), "");
  const facts = [`Segment ${segment}`, STATES[run.segment_states[segment]]];
  const told = whole && whole.segments[segment];
  if (told) {
    facts.splice(1, 0, `frames ${count(told.begin)} to ${count(told.end - 1)}`);
    if (told.rank >= 0) facts.push(`rank ${told.rank} on ${told.host}`);
    if (told.wall_s >= 0) facts.push(`in ${span(told.wall_s)}`);
    if (told.size >= 0) facts.push(bytes(told.size));
    if (told.quality_db >= 0) {
      facts.push(`${decibels(told.quality_db)}, worst ${decibels(told.worst_db)} at frame ${count(told.worst_frame)}`);
    }
  }
  say($("segment"), facts.join(" · "));
}

// The next segment with pictures on that side.
function step(by) {
  for (let i = segment + by; i >= 0 && i < run.segment_states.length; i += by) {
    if (hasPictures(i)) return choose(i);
  }
}

$("slider").addEventListener("input", split);
$("latest").addEventListener("click", () => { latest = !latest; showChoice(); });
$("detail").addEventListener("click", () => { detail = !detail; showChoice(); });
$("worst").addEventListener("click", () => { worst = !worst; showChoice(); });
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
for (const kind of ["pointerdown", "pointermove"]) {
  $("stage").addEventListener(kind, event => {
    if (event.buttons !== 1) return;
    const box = $("stage").getBoundingClientRect();
    $("slider").value = 100 * (event.clientX - box.left) / box.width;
    split();
    event.preventDefault();
  });
}
split();

// ---- charts

function svg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// A round number at or above `value`.
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.1)));
  return power * [1, 2, 5, 10].find(step => step * power >= value);
}

// `width`: in pixels, so that words have their size.
function chart(name, key, series, width) {
  const left = 36, right = width - 6, top = 8, bottom = 112;
  const shown = points.filter(point => point[key] >= 0);
  const values = shown.map(point => point[key]);
  const highest = ceiling(Math.max(0.1, ...values));
  const first = shown.length ? shown[0].elapsed_s : 0;
  const duration = Math.max(1, shown.length ? shown[shown.length - 1].elapsed_s - first : 1);
  const x = s => left + (right - left) * (s - first) / duration;
  const y = v => bottom - (bottom - top) * v / highest;
  const last = values.length ? values[values.length - 1] : -1;
  const picture = svg("svg", {class: "chart", viewBox: `0 0 ${width} 132`, role: "img",
    "aria-label": `${name}: now ${fps(last)}, at most ${fps(Math.max(-1, ...values))}, over ${span(duration)}`});
  for (const value of [0, highest / 2, highest]) {
    picture.append(svg("path", {class: "grid", d: `M${left} ${y(value)}H${right}`}),
      svg("text", {x: left - 5, y: y(value) + 4, "text-anchor": "end"}, String(Number(value.toPrecision(2)))));
  }
  picture.append(svg("text", {x: left, y: bottom + 16}, span(first)),
    svg("text", {x: right, y: bottom + 16, "text-anchor": "end"}, span(first + duration)));
  if (shown.length > 1) {
    const line = shown.map(point => `${x(point.elapsed_s).toFixed(1)} ${y(point[key]).toFixed(1)}`).join("L");
    picture.append(svg("path", {class: series, d: `M${line}`}));
  }
  const figure = make("figure");
  figure.append(picture, make("figcaption", "quiet", name));
  return figure;
}

function showCharts() {
  const room = $("charts").clientWidth;
  const width = Math.max(200, run.in_chunks && room > 640 ? room / 2 - 8 : room);
  const charts = [chart("Frames upscaled a second", "upscale_fps", "series-1", width)];
  if (run.in_chunks) charts.push(chart("Frames encoded a second", "encode_fps", "series-2", width));
  $("charts").replaceChildren(...charts);
}

addEventListener("resize", () => { if (run !== null) showCharts(); });

function remember() {
  const point = {elapsed_s: run.elapsed_s, upscale_fps: run.upscale_fps, encode_fps: run.encode_fps};
  const last = points[points.length - 1];
  if (last && point.elapsed_s < last.elapsed_s) points = [];  // another start
  else if (last && point.elapsed_s - last.elapsed_s < 1) return;
  points.push(point);
  if (points.length > 2000) points = points.filter((_, i) => i % 2 === 0 || i > 1990);
}

// ---- what comes from the server

let token = "";
const store = {
  get: () => { try { return sessionStorage.getItem("token") || ""; } catch { return ""; } },
  set: value => { try { sessionStorage.setItem("token", value); } catch { /* then asked again next time */ } },
};

// A token may come behind the address's #, which no server sees; it does not stay there.
function findToken() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    store.set(decodeURIComponent(given[1]));
    history.replaceState(null, "", location.pathname);
  }
  token = store.get();
}

function ask(path, options = {}) {
  return fetch(path, {...options, headers: token ? {Authorization: `Bearer ${token}`} : {}});
}

function askForToken() {
  if (token) say($("ask-why"), "This token is refused. It is status.token_file of the job.");
  $("ask").hidden = false;
  $("run").hidden = true;
  $("token").focus();
  link("warning", "token wanted");
  return new Promise(resolve => {
    $("ask").onsubmit = event => {
      event.preventDefault();
      token = $("token").value.trim();
      $("token").value = "";
      store.set(token);
      $("ask").hidden = true;
      resolve();
    };
  });
}

let fetchedAt = -DETAILS_S;
let fetchedFor = null;
async function fetchWhole() {
  if (fetchedFor === run.segment_states || now() - fetchedAt < DETAILS_S) return;
  const states = run.segment_states;
  const first = whole === null;
  fetchedAt = now();
  try {
    const answer = await ask("/api/run");
    if (!answer.ok) return;
    whole = await answer.json();
    fetchedFor = states;
    if (first) points = [...whole.history];
    show();
  } catch { /* the stream of events tells that the server is gone */ }
}

function show() {
  $("run").hidden = false;
  showProgress();
  showMap();
  showChoice();
  showCharts();
  showQuality();
  sync($("ranks"), run.ranks, rankCard, showRank);
  showLists();
  summarize();
  showLink();
}

function link(level, text) {
  $("connection").className = level;
  say($("connection"), text);
}

function showLink() {
  const age = now() - heard;
  const old = run !== null && !over() && age > STALE_S;
  $("main").classList.toggle("old", run !== null && (old || (!linked && !over())));
  if (over()) link(run.state === "done" ? "good" : "error", `run over: ${run.state}${linked ? "" : "; its server is gone"}`);
  else if (run === null) link("warning", linked ? "waiting for the run's status" : $("ask").hidden ? "connecting" : "a token is wanted");
  else if (!linked) link("error", `the server does not answer; as of ${span(age)} ago`);
  else if (old) link("warning", `stale, as of ${span(age)} ago`);
  else link("good", `live, ${run.state}`);
}

// The texts of the events in a stream, each from "data: ".
async function* eventsOf(stream, alive) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    alive();
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const data = text.slice(0, end).split("\n").find(line => line.startsWith("data: "));
      text = text.slice(end + 2);
      if (data) yield data.slice(6);
    }
  }
}

// Once; until the stream ends. EventSource cannot send a token.
async function follow() {
  const abort = new AbortController();
  let timer = 0;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), DEAD_S * 1000);
  };
  alive();
  try {
    const answer = await ask("/api/events", {cache: "no-store", signal: abort.signal});
    if (answer.status === 401) return "token";
    if (!answer.ok) return "failed";
    linked = true;
    showLink();
    for await (const text of eventsOf(answer.body, alive)) {
      run = JSON.parse(text);
      heard = now();
      remember();
      show();
      fetchWhole();
    }
    return "ended";
  } catch {
    return linked ? "ended" : "failed";
  } finally {
    clearTimeout(timer);
    linked = false;
  }
}

async function main() {
  findToken();
  window.addEventListener("hashchange", () => { findToken(); location.reload(); });
  setInterval(showLink, 1000);
  for (let wait = 1;;) {
    const how = await follow();
    if (how === "token") {
      await askForToken();
      continue;
    }
    showLink();
    if (how === "ended") wait = 1;
    await new Promise(resolve => setTimeout(resolve, wait * 1000 * (0.5 + Math.random() / 2)));
    wait = Math.min(30, 2 * wait);
  }
}

main();
