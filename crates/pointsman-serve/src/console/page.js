"use strict";
(() => {
  // What comes from the service becomes text, never markup.
  const KEY = "pointsman-admin-key";
  const EVERY_MS = 2000;
  const MOST_SAMPLES = 150;
  const SVG = "http://www.w3.org/2000/svg";
  const at = (id) => document.getElementById(id);
  const state = { samples: [], inForce: null, timer: 0, isPaused: false, isOpen: false, card: null, trying: null, said: null };

  const whole = (x) => x.toLocaleString("en");
  const upTo = (x, digits) => x.toLocaleString("en", { maximumFractionDigits: digits });
  const percent = (x) => `${upTo(100 * x, 1)} %`;
  const dollars = (x) => `$${x.toLocaleString("en", { maximumSignificantDigits: 3, maximumFractionDigits: 9 })}`;
  const quality = (x) => x.toFixed(3);
  // A prediction is a sum and may leave the scale a little; its end is shown.
  const predicted = (x) => quality(Math.min(1, Math.max(0, x)));
  const orNothing = (x, words) => (x === null || x === undefined ? "–" : words(x));
  const short = (digest) => digest.slice(0, 12);
  const bytes = (n) => {
    const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit += 1; }
    return `${upTo(n, 1)} ${units[unit]}`;
  };

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  /** A sentence of the service: what stands between backticks is set as code, one that is alone stays. */
  function said(sentence) {
    const made = document.createDocumentFragment();
    const parts = sentence.split("`");
    parts.forEach((part, i) => {
      if (i % 2 === 0) made.append(part);
      else if (i + 1 < parts.length) made.append(element("code", part));
      else made.append(`\`${part}`);
    });
    return made;
  }

  function shape(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /** A row whose first cell names it; numbers are cells of the class `n`. */
  function row(cells, className) {
    const made = element("tr", undefined, className);
    cells.forEach((cell, index) => {
      if (cell instanceof Node) {
        const holder = element("td");
        holder.append(cell);
        made.append(holder);
        return;
      }
      const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
      const holder = element(index === 0 ? "th" : "td", text, kind);
      if (index === 0) holder.scope = "row";
      made.append(holder);
    });
    return made;
  }

  function fill(id, rows, whenEmpty) {
    const body = at(id).tBodies[0];
    if (rows.length === 0) {
      const cell = element("td", whenEmpty);
      cell.colSpan = at(id).tHead.rows[0].cells.length;
      const made = element("tr");
      made.append(cell);
      rows = [made];
    }
    body.replaceChildren(...rows);
  }

  function facts(id, pairs, wrap) {
    const made = [];
    for (const [name, text, className] of pairs) {
      const parts = [element("dt", name), element("dd", undefined, className)];
      parts[1].append(text);
      if (wrap) {
        const box = element("div");
        box.append(...parts);
        made.push(box);
      } else {
        made.push(...parts);
      }
    }
    at(id).replaceChildren(...made);
  }

  /** Said once, so that a screen reader is not told the same thing every two seconds. */
  function say(text, className) {
    const line = at("state");
    if (state.said !== text) line.replaceChildren(said(text));
    state.said = text;
    line.className = `state ${className || ""}`;
  }

  async function ask(path, options = {}) {
    const headers = {};
    const key = sessionStorage.getItem(KEY);
    if (key) headers.Authorization = `Bearer ${key}`;
    return fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  }

  async function refusal(response) {
    try {
      return (await response.json()).error;
    } catch {
      return { message: `the service answered with status ${response.status}`, excluded: [] };
    }
  }

  function showLogin(message) {
    state.isOpen = false;
    clearTimeout(state.timer);
    at("content").hidden = true;
    at("actions").hidden = true;
    at("login").hidden = false;
    at("login-error").replaceChildren(said(message));
    at("policy-line").textContent = "No policy is shown yet.";
    say("The console is closed.");
    at("key").focus();
  }

  function showContent() {
    if (state.isOpen) return;
    state.isOpen = true;
    const wasAsked = !at("login").hidden;
    at("login").hidden = true;
    at("content").hidden = false;
    at("actions").hidden = false;
    at("forget").hidden = sessionStorage.getItem(KEY) === null;
    if (wasAsked) at("main").focus({ preventScroll: true });
  }

  function later() {
    clearTimeout(state.timer);
    if (!state.isPaused && !document.hidden) state.timer = setTimeout(update, EVERY_MS);
  }

  async function update() {
    try {
      const response = await ask("admin/status");
      if (response.status === 401 || response.status === 403) {
        const { message } = await refusal(response);
        const hadKey = sessionStorage.getItem(KEY) !== null;
        sessionStorage.removeItem(KEY);
        showLogin(hadKey ? message : "");
        return;
      }
      if (!response.ok) throw new Error((await refusal(response)).message);
      show(await response.json());
      showContent();
      if (state.isFresh) { state.isFresh = false; tryOut(); }
    } catch (error) {
      say(`No answer from the service (${error.message}). Trying again.`, "bad");
    }
    later();
  }

  function show(status) {
    const { card, decisions } = status;
    const isLogging = status.journal !== null && status.journal.logging;
    const troubles = [];
    if (!status.ready) troubles.push("the service is about to stop");
    if (status.last_load_error) troubles.push(`the last policy was refused: ${status.last_load_error}`);
    if (!isLogging) troubles.push("decisions are not written down");
    if (decisions.panics > 0) troubles.push(`${whole(decisions.panics)} calls ended in a bug`);
    if (state.isPaused) say("Updates are paused.");
    else if (troubles.length > 0) say(`Serving, but ${troubles.join("; ")}.`, "bad");
    else say("Serving; everything is written down.");
    at("policy-line").textContent = `Policy ${card.name}, ${short(card.digest)}; objective ${card.objective}`;
    showNow(status);
    showShare(status.drawn);
    showLatest(status);
    showEndpoints(status.endpoints);
    showKeys(status.keys);
    showShadows(status.shadows);
    showJournal(status.journal);
    const inForce = `${card.digest} ${card.objective}`;
    if (state.inForce !== inForce) {
      state.inForce = inForce;
      state.card = card;
      state.isFresh = true;
      showCard(card);
      showFrontier(card);
      offerPoints(card);
    }
  }

  function rateNow(status) {
    const { samples } = state;
    const made = status.decisions.made;
    const last = samples[samples.length - 1];
    if (last && made < last.made) samples.length = 0; // the service began anew
    samples.push({ ms: status.now_ms, made });
    if (samples.length > MOST_SAMPLES) samples.shift();
    const then = samples[Math.max(0, samples.length - 6)];
    const seconds = (status.now_ms - then.ms) / 1000;
    return seconds > 0 ? (made - then.made) / seconds : null;
  }

  function showNow(status) {
    const { decisions, money, exploration, journal } = status;
    const rate = rateNow(status);
    const refused = Object.values(decisions.refused).reduce((sum, n) => sum + n, 0);
    const mean = decisions.made > 0 ? decisions.total_ns / decisions.made / 1000 : null;
    const isCompared = money.n_compared > 0 && money.best_single_cost_usd > 0;
    const limit = exploration.most_usd_per_day;
    const chosen = decisions.made + decisions.steps;
    const ofFirst = decisions.escalated > 0 ? ", first answers" : "";
    facts("tiles", [
      ["Decisions per second", orNothing(rate, (x) => upTo(x, 1))],
      ["Decisions", whole(decisions.made)],
      ["Mean time of a decision", orNothing(mean, (x) => `${upTo(x, 1)} µs`)],
      [`Cost against best single${ofFirst}`, isCompared ? percent(money.expected_cost_usd / money.best_single_cost_usd) : "–"],
      ["Explored", chosen > 0 ? percent(decisions.explored / chosen) : "–"],
      ["Exploration today", `${dollars(exploration.usd_today)}${limit === null ? "" : ` of ${dollars(limit)}`}`],
      ["Outcomes", whole(decisions.outcomes)],
      ["Refused calls", whole(refused), refused > 0 ? "bad" : ""],
      ["Not written down", journal === null ? "no journal" : whole(decisions.not_logged), decisions.not_logged > 0 ? "bad" : ""],
    ], true);
    const codes = Object.entries(decisions.refused).map(([code, n]) => `${code} ${whole(n)}`);
    at("money-note").textContent =
      `Expected cost ${dollars(money.expected_cost_usd)} where ${money.best_single} alone would be expected to take ` +
      `${dollars(money.best_single_cost_usd)}, over ${whole(money.n_compared)} calls that both might have answered` +
      `${money.n_not_compared > 0 ? `; ${whole(money.n_not_compared)} calls cannot be compared` : ""}. ` +
      `${decisions.steps > 0 ? `After ${whole(decisions.steps)} answers another model was called ${whole(decisions.escalated)} times, for an expected ${dollars(money.escalated_cost_usd)} more. ` : ""}` +
      `Explorer ${exploration.how}, at most ${percent(exploration.most_share)} of decisions.` +
      `${codes.length > 0 ? ` Refused: ${codes.join(", ")}.` : ""}` +
      `${decisions.unknown_fields > 0 ? ` Keys of calls that nobody here knows: ${whole(decisions.unknown_fields)}.` : ""}`;
    drawRate();
  }

  function drawRate() {
    const { samples } = state;
    const rates = [];
    for (let i = 1; i < samples.length; i += 1) {
      const seconds = (samples[i].ms - samples[i - 1].ms) / 1000;
      if (seconds > 0) rates.push((samples[i].made - samples[i - 1].made) / seconds);
    }
    const most = Math.max(0, ...rates);
    const place = (rate, i) => `${(600 * i) / Math.max(1, rates.length - 1)},${76 - (72 * rate) / Math.max(1, most)}`;
    at("rate").replaceChildren(shape("polyline", { points: rates.map(place).join(" ") }));
    at("rate-caption").textContent = rates.length === 0
      ? "Decisions per second since this page was opened."
      : `Decisions per second since this page was opened; at most ${upTo(most, 1)}.`;
  }

  function showShare(drawn) {
    const total = drawn.reduce((sum, one) => sum + one.decisions, 0);
    const rows = [...drawn].sort((a, b) => b.decisions - a.decisions).map(({ model, decisions }) => {
      const share = total > 0 ? decisions / total : 0;
      const bar = shape("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
      bar.append(shape("rect", { class: "track", width: 100, height: 8 }), shape("rect", { width: 100 * share, height: 8 }));
      return row([model, [whole(decisions), "n"], [percent(share), "n"], bar]);
    });
    fill("share", rows, "No model can be drawn.");
  }

  function showLatest({ latest, journal }) {
    const kept = journal === null ? "hash" : journal.prompts;
    at("latest-note").textContent = kept.startsWith("hash")
      ? "The newest first; under load some are passed over. Prompts are not stored, and not shown."
      : `The newest first, with the beginning of their prompts, as they are stored (${kept}); under load some are passed over.`;
    const rows = latest.map((one) => {
      const marks = [one.explored ? "explored" : "", one.logged ? "" : "not written down", one.session ? "conversation" : ""];
      const time = new Date(one.ts_ms).toLocaleTimeString();
      return row([
        time, one.model, orNothing(one.provider, String), [one.propensity.toPrecision(3), "n"], one.objective,
        marks.filter(Boolean).join(", "), [one.prompt === null ? `${whole(one.prompt_bytes)} bytes` : one.prompt, "prompt"],
      ]);
    });
    fill("latest", rows, "None since the service began.");
  }

  function showEndpoints(endpoints) {
    const words = { up: ["up", "good"], failing: ["failing", "bad"], unknown: ["no outcomes yet", ""] };
    fill("endpoints", endpoints.map((one) => row([
      one.model, one.provider, words[one.health] || [one.health, ""],
      [orNothing(one.ttft_ms, (x) => `${upTo(x, 0)} ms`), "n"], [orNothing(one.tokens_per_second, (x) => upTo(x, 1)), "n"],
      [upTo(one.input_usd_per_million, 4), "n"], [upTo(one.output_usd_per_million, 4), "n"],
    ])), "The catalog lists none.");
  }

  function showKeys(keys) {
    const cell = (spent, most, words) => [words(spent), most !== null && most <= spent ? "n bad" : "n"];
    fill("keys", keys.map((one) => row([
      one.name,
      cell(one.usd_today, one.most_usd_per_day, dollars), [orNothing(one.most_usd_per_day, dollars), "n"],
      cell(one.tokens_today, one.most_tokens_per_day, whole), [orNothing(one.most_tokens_per_day, whole), "n"],
    ])), "The settings name none: anybody on this machine may call.");
  }

  function showShadows(shadows) {
    fill("shadows", shadows.map((one) => {
      const mean = (sum, words) => [one.compared > 0 ? words(sum / one.compared) : "–", "n"];
      return row([
        `${one.name}, ${short(one.digest)}`, [whole(one.decisions), "n"],
        [one.decisions > 0 ? percent(one.same / one.decisions) : "–", "n"],
        mean(one.own.quality, predicted), mean(one.drawn.quality, predicted), mean(one.own.cost_usd, dollars), mean(one.drawn.cost_usd, dollars),
      ]);
    }), "None decides along.");
  }

  function showJournal(journal) {
    if (journal === null) {
      facts("journal", [["State", "none is kept: nothing can be learned from these decisions, and nothing is explored", "bad"]]);
      return;
    }
    facts("journal", [
      ["State", journal.degraded || !journal.logging ? said(`takes no records${journal.last_error ? `: ${journal.last_error}` : ""}`) : "takes records",
        journal.degraded || !journal.logging ? "bad" : "good"],
      ["Records", `${whole(journal.records)} in ${whole(journal.segments)} segments, ${bytes(journal.bytes)}`],
      ["Since the start", `${whole(journal.appended)} written, ${whole(journal.refused)} refused`],
      ["Removed with age or size", `${whole(journal.removed_records)} records, ${bytes(journal.removed_bytes)}`],
      ["Prompts", { hash: "not kept, only a keyed hash and features", hash_only: "not kept, only a keyed hash", redact: "kept, masked", full: "kept" }[journal.prompts]],
    ]);
  }

  function showCard(card) {
    const { provenance, standing } = card;
    at("standing").replaceChildren(said(standing.sentence));
    const origin = { outcome_table: "an outcome table", traffic_log: "a traffic log" }[provenance.origin];
    facts("card", [
      ["Name", card.name],
      ["SHA-256", card.digest],
      ["Models", card.mean_quality === null ? card.models.join(", ")
        : card.models.map((model, i) => `${model} (${quality(card.mean_quality[i])})`).join(", ")],
      ["Best single model", standing.best_single],
      ["Learned from", `${origin || provenance.origin}: ${whole(provenance.n_requests)} requests, ${whole(provenance.n_outcomes)} outcomes`],
      ["Data SHA-256", provenance.data_sha256],
      ["Seed and version", `${provenance.seed}, ${provenance.version}`],
      ...Object.entries(provenance.settings).map(([name, text]) => [name, said(text)]),
    ]);
  }

  function ticks(low, high, n) {
    const raw = (high - low) / n;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
    const all = [];
    for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; i += 1) all.push(i * step);
    return all;
  }

  function range(lows, highs) {
    const low = Math.min(...lows), high = Math.max(...highs);
    const margin = high > low ? 0.08 * (high - low) : Math.max(1e-9, 0.1 * Math.abs(high));
    return [low - margin, high + margin];
  }

  function showFrontier(card) {
    const points = [...card.operating_points].sort((a, b) => a.cost_usd.value - b.cost_usd.value);
    const named = (one) => (one.name === card.objective ? `${one.name}, in force` : one.name);
    fill("points", points.map((one) => row([
      named(one), [`${quality(one.quality.value)} (${quality(one.quality.lower)} to ${quality(one.quality.upper)})`, "n"],
      [dollars(one.cost_usd.value), "n"], [upTo(one.quality_points_per_usd, 2), "n"], said(one.guarantee || "–"),
    ])), "The policy has none.");
    const svg = at("frontier");
    svg.replaceChildren();
    if (points.length === 0) return;
    const [x0, x1, y0, y1] = [90, 620, 310, 20];
    const [costLow, costHigh] = range(points.map((p) => p.cost_usd.lower), points.map((p) => p.cost_usd.upper));
    const [low, high] = range(points.map((p) => p.quality.lower), points.map((p) => p.quality.upper));
    const x = (cost) => x0 + ((x1 - x0) * (cost - costLow)) / (costHigh - costLow);
    const y = (q) => y0 + ((y1 - y0) * (q - low)) / (high - low);
    for (const q of ticks(low, high, 5)) {
      svg.append(shape("line", { class: "grid", x1: x0, x2: x1, y1: y(q), y2: y(q) }));
      svg.append(shape("text", { class: "tick", x: x0 - 8, y: y(q) + 4, "text-anchor": "end" }, upTo(q, 3)));
    }
    for (const cost of ticks(Math.max(0, costLow), costHigh, 3)) {
      svg.append(shape("line", { class: "grid", x1: x(cost), x2: x(cost), y1: y0, y2: y1 }));
      svg.append(shape("text", { class: "tick", x: x(cost), y: y0 + 18, "text-anchor": "middle" }, dollars(cost)));
    }
    svg.append(shape("path", { class: "axis", d: `M${x0} ${y1}V${y0}H${x1}` }));
    svg.append(shape("text", { class: "tick", x: (x0 + x1) / 2, y: 352, "text-anchor": "middle" }, "dollars per request"));
    svg.append(shape("text", { class: "tick", x: x0, y: 12 }, "quality"));
    points.forEach((point, index) => {
      const { name, quality: q, cost_usd: cost } = point;
      const [px, py] = [x(cost.value), y(q.value)];
      svg.append(shape("line", { class: "band", x1: px, x2: px, y1: y(q.lower), y2: y(q.upper) }));
      svg.append(shape("line", { class: "band", x1: x(cost.lower), x2: x(cost.upper), y1: py, y2: py }));
      svg.append(shape("circle", name === card.objective ? { class: "dot now", cx: px, cy: py, r: 7 } : { class: "dot", cx: px, cy: py, r: 5 }));
      const isRight = px > (x0 + x1) / 2;
      const dy = index % 2 === 0 ? -10 : 20;
      svg.append(shape("text", { x: px + (isRight ? -9 : 9), y: py + dy, "text-anchor": isRight ? "end" : "start" }, named(point)));
    });
  }

  /** The slider's places: nothing for cost at 0, and then evenly on a scale of logarithms. */
  function scale() {
    const known = (state.card ? state.card.operating_points : []).map((one) => one.quality_points_per_usd).filter((x) => x > 0);
    const low = known.length > 0 ? Math.min(...known) / 30 : 0.1;
    const high = known.length > 0 ? Math.max(...known) * 30 : 1e5;
    return { low, high };
  }
  function weightAt(place) {
    const { low, high } = scale();
    return place <= 0 ? 0 : Number((low * (high / low) ** ((place - 1) / 99)).toPrecision(3));
  }
  function placeOf(weight) {
    const { low, high } = scale();
    return weight <= 0 ? 0 : Math.round(1 + (99 * Math.log(weight / low)) / Math.log(high / low));
  }

  function sayWeight() {
    const point = state.card && state.card.operating_points.find((one) => one.name === at("point").value);
    const weight = point ? point.quality_points_per_usd : weightAt(Number(at("lambda").value));
    const text = weight === 0 ? "Quality alone; cost counts nothing." : `${upTo(weight, 3)} quality points for a dollar.`;
    at("lambda-text").textContent = text;
    at("lambda").setAttribute("aria-valuetext", text);
  }

  function offerPoints(card) {
    const own = element("option", "the slider's own");
    own.value = "";
    const options = card.operating_points.map(({ name }) => {
      const option = element("option", name);
      option.value = name;
      return option;
    });
    at("point").replaceChildren(...options, own);
    const known = card.operating_points.some(({ name }) => name === card.objective);
    at("point").value = known ? card.objective : "";
    at("deny").replaceChildren(...card.models.map((model) => {
      const label = element("label");
      const box = element("input");
      box.type = "checkbox";
      box.value = model;
      label.append(box, model);
      return label;
    }));
    choosePoint();
  }

  function choosePoint() {
    const point = state.card.operating_points.find((one) => one.name === at("point").value);
    if (point) at("lambda").value = String(placeOf(point.quality_points_per_usd));
    sayWeight();
  }

  function call() {
    const name = at("point").value;
    const body = {
      messages: [{ role: "user", content: at("prompt").value }],
      objective: name === "" ? { lambda: weightAt(Number(at("lambda").value)) } : name,
    };
    const denied = [...at("deny").querySelectorAll("input:checked")].map((box) => box.value);
    if (denied.length > 0) body.deny = denied;
    for (const [id, key] of [["max-cost", "max_cost_usd"], ["max-latency", "max_latency_ms"]]) {
      if (at(id).value !== "") body[key] = Number(at(id).value);
    }
    if (at("tools").checked) body.tools = [{ type: "function", function: { name: "any" } }];
    return body;
  }

  function showCandidates(candidates, best) {
    fill("candidates", candidates.map((one) => {
      const isOut = one.excluded_by !== undefined;
      const name = one.provider ? `${one.model} (${one.provider})` : one.model;
      return row([
        name, [percent(one.probability || 0), "n"], [orNothing(one.quality, predicted), "n"], [orNothing(one.cost_usd, dollars), "n"],
        [orNothing(one.latency_ms, (x) => `${upTo(x, 0)} ms`), "n"], said(one.excluded_by || ""),
      ], isOut ? "out" : one.model === best ? "best" : "");
    }), "No model.");
  }

  function showEffects(explanation) {
    const effects = explanation ? [...explanation.terms, ...explanation.dense] : [];
    effects.sort((a, b) => Math.abs(b.quality) - Math.abs(a.quality));
    const items = effects.slice(0, 10).map(({ source, quality: q }) =>
      element("li", `${source} ${q < 0 ? "−" : "+"}${Math.abs(q).toFixed(4)}`));
    at("effects").replaceChildren(...(items.length > 0 ? items : [element("li", "nothing in particular")]));
  }

  /** What the best model was chosen for beside its own answer, if anything. */
  function foreseen({ model, cascades }) {
    const ahead = (cascades || []).find((one) => one.model === model);
    if (!ahead) return "";
    const cost = ahead.cost_usd === undefined ? "" : ` for ${dollars(ahead.cost_usd)}`;
    return ` Its answer may be followed by one of ${ahead.next}, with a chance of ${percent(ahead.escalates)}; ` +
      `a quality of ${predicted(ahead.quality)}${cost} is expected of both together.`;
  }

  async function tryOut() {
    if (state.trying) state.trying.abort();
    const aborting = new AbortController();
    state.trying = aborting;
    try {
      const response = await ask("admin/try", { method: "POST", body: JSON.stringify(call()), signal: aborting.signal });
      if (response.ok) {
        const tried = await response.json();
        const provider = tried.provider === null ? "" : ` at ${tried.provider}`;
        at("verdict").textContent = `Best: ${tried.model}${provider}, for ${tried.objective}.${foreseen(tried)}`;
        showCandidates(tried.candidates, tried.model);
        showEffects(tried.explanation);
        return;
      }
      const { message, excluded } = await refusal(response);
      at("verdict").replaceChildren(said(`Refused: ${message}.`));
      showCandidates((excluded || []).map(({ model, reason }) => ({ model, excluded_by: reason })), null);
      showEffects(null);
    } catch (error) {
      if (error.name !== "AbortError") at("verdict").textContent = `No answer from the service (${error.message}).`;
    }
  }

  let waiting = 0;
  function trySoon() {
    clearTimeout(waiting);
    waiting = setTimeout(tryOut, 150);
  }

  at("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, at("key").value);
    at("key").value = "";
    at("login-error").textContent = "";
    update();
  });
  at("forget").addEventListener("click", () => {
    sessionStorage.removeItem(KEY);
    state.samples.length = 0;
    showLogin("");
  });
  at("pause").addEventListener("click", () => {
    state.isPaused = !state.isPaused;
    at("pause").setAttribute("aria-pressed", String(state.isPaused));
    if (state.isPaused) { clearTimeout(state.timer); say("Updates are paused."); } else update();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && state.isOpen && !state.isPaused) update();
  });
  at("try-form").addEventListener("submit", (event) => { event.preventDefault(); tryOut(); });
  at("try-form").addEventListener("input", trySoon);
  at("point").addEventListener("change", choosePoint);
  at("lambda").addEventListener("input", () => { at("point").value = ""; sayWeight(); });
  if (document.body.dataset.guarded === "yes" && sessionStorage.getItem(KEY) === null) showLogin("");
  else update();
})();
