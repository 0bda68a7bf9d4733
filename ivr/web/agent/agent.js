// The agent page: which talks there are, and one capture, as saldo's API tells them.
"use strict";

const KEY = "saldo-key", CAPTURE = "saldo-capture", MINE = "saldo-mine";
const CALLS_MS = 2000, AGAIN_MS = 1000, SILENT_MS = 40000;
const OVER = ["complete", "canceled", "failed"];
const SETTLING = ["waiting", "charging"];

const FIELDS = {
  "payment-card-number": "Card number", "expiration-date": "Expiry date",
  "security-code": "Security code", "postal-code": "Postal code",
};
const STATES = {
  waiting: "not asked yet", asked: "caller is asked", entering: "caller is keying",
  good: "good", wrong: "wrong",
};
const ERRORS = {
  "input-timeout": "nothing was keyed in time", "invalid-card-number": "no valid card number",
  "invalid-card-type": "this kind of card is not accepted", "invalid-date": "no valid date, or past",
  "invalid-security-code": "not a valid security code",
  "invalid-postal-code": "not a valid postal code", "internal-error": "technical problem",
};
const STATUSES = {
  opening: "Getting ready: you both go on talking.",
  open: "Ready. You hear each other; you do not hear the keys.",
  complete: "Complete. The talk goes on.",
  canceled: "Canceled. The talk goes on.",
  failed: "It did not work. The talk goes on.",
};
const WHOLE = "Every field is good. The caller is asked to confirm the card by 1; then it can be completed.";
const RESULTS = {
  "too-many-failed-attempts": "Too many tries failed. The talk goes on.",
  "payment-connector-error": "The payment gateway could not be reached. The talk goes on.",
  "caller-interrupted": "The caller stopped it. The talk goes on.",
  "caller-hung-up": "The caller hung up.",
};
const PAYMENTS = {
  waiting: "To be charged", charging: "Being charged", paid: "Paid",
  declined: "Declined by the bank; not charged",
  unknown: "Not known yet whether it was charged: do not charge it again",
  "not-charged": "Not charged", "already-paid": "Paid already; not charged again",
  "being-paid": "Being paid elsewhere; not charged here",
  "over-limit": "Tried too often; not charged. Offer a link, or another day",
};
const ADVICE = {
  soft: "Another card, or later, may do.", hard: "Do not try this card again.",
  fix: "Check what was keyed and try again.",
};

const $ = (id) => document.getElementById(id);
let shown = null; // the capture on the page
let following = null; // its AbortController

class Problem extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

async function api(method, path, body, more = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}`, ...more.headers };
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { ...more, method, headers, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "saldo cannot be reached. This page tries again by itself.");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, problem.detail || problem.title || `Status ${answer.status}`);
}

function say(text) { $("message").textContent = text; }

function show(id) {
  for (const section of ["signing-in", "talks", "capture"]) $(section).hidden = section !== id;
  $("sign-out").hidden = id === "signing-in";
}

async function tried(work) {
  try {
    say("");
    return await work();
  } catch (error) {
    if (error.status === 401) return signOut("This API key is not valid.");
    say(error.message);
  }
}

// --- signing in

function signOut(why = "") {
  if (following) following.abort();
  sessionStorage.clear();
  shown = null;
  show("signing-in");
  say(why);
  $("key").focus();
}

async function signIn(event) {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("key").value.trim());
  $("key").value = "";
  if (await tried(() => api("GET", "/v1/captures/calls"))) begin();
}

// --- talks

async function lookForCalls() {
  if (!$("talks").hidden && !document.hidden) {
    try {
      showCalls((await (await api("GET", "/v1/captures/calls")).json()).data);
      if ($("message").dataset.from === "calls") say("");
      $("message").dataset.from = "";
    } catch (error) {
      if (error.status === 401) signOut("This API key is not valid.");
      else { say(error.message); $("message").dataset.from = "calls"; }
    }
  }
  setTimeout(lookForCalls, CALLS_MS);
}

function isMine(call) {
  const mine = $("mine").value.trim().toLowerCase();
  const { number, name, device } = call.agent;
  return !mine || [number, name, device].some((each) => each.toLowerCase().includes(mine));
}

function who(leg) { return [leg.name, leg.number].filter(Boolean).join(", ") || leg.device; }

function cell(text) {
  const made = document.createElement("td");
  made.textContent = text;
  return made;
}

function showCalls(calls) {
  const mine = calls.filter(isMine);
  $("no-calls").hidden = mine.length > 0;
  const known = new Map([...$("calls").children].map((row) => [row.dataset.channel, row]));
  $("calls").replaceChildren(...mine.map((call) => known.get(call.caller.channel) || callRow(call)));
}

function callRow(call) {
  const row = document.createElement("tr");
  row.dataset.channel = call.caller.channel;
  const ask = document.createElement("button");
  ask.type = "button";
  ask.textContent = "Ask for a card";
  ask.setAttribute("aria-label", `Ask ${who(call.caller)} for a card`);
  ask.addEventListener("click", () => tried(() => start(call, ask)));
  const since = call.since && new Date(call.since.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
  const last = cell("");
  last.append(ask);
  row.append(cell(who(call.caller)), cell(who(call.agent)),
    cell(since ? since.toLocaleTimeString() : ""), last);
  return row;
}

async function start(call, button) {
  button.disabled = true;
  try {
    const wanted = { channel: call.caller.channel, agent_channel: call.agent.channel };
    const invoices = $("invoices").value.split(",").map((each) => each.trim()).filter(Boolean);
    if (invoices.length) wanted.invoices = invoices;
    const [amount, currency] = $("amount").value.trim().toUpperCase().split(/\s+/);
    if (amount) wanted.amount = { amount, currency };
    if ($("account").value.trim()) wanted.account = $("account").value.trim();
    if ($("language").value) wanted.language = $("language").value;
    const headers = { "Idempotency-Key": `page-${newKey()}` };
    const capture = await (await api("POST", "/v1/captures", wanted, { headers })).json();
    open(capture);
  } finally {
    button.disabled = false;
  }
}

// Not crypto.randomUUID: it is missing on pages served over plain HTTP.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- one capture

function open(capture) {
  sessionStorage.setItem(CAPTURE, capture.id);
  $("fields").replaceChildren();
  showCapture(capture);
  show("capture");
  $("capture-title").focus();
  follow(capture.id);
}

async function follow(id) {
  if (following) following.abort();
  const mine = (following = new AbortController());
  while (!mine.signal.aborted && !(shown && shown.id === id && isOver(shown))) {
    try {
      await read(id, mine);
      say("");
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error.status === 401) return signOut("This API key is not valid.");
      if (error.status === 404) return leave();
      say(error.message);
    }
    await new Promise((again) => setTimeout(again, AGAIN_MS));
  }
}

// Server-sent events by fetch: EventSource cannot send the key in a header.
async function read(id, mine) {
  const silence = new AbortController();
  mine.signal.addEventListener("abort", () => silence.abort());
  let timer = setTimeout(() => silence.abort(), SILENT_MS);
  try {
    const answer = await api("GET", `/v1/captures/${id}/events`, null, { signal: silence.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENT_MS);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const data = event.split("\n").find((line) => line.startsWith("data: "));
        if (data) showCapture(JSON.parse(data.slice(6)));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function isOver(capture) {
  return OVER.includes(capture.status)
    && !(capture.status === "complete" && capture.payment && SETTLING.includes(capture.payment.status));
}

function money({ amount, currency }) {
  return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
}

function put(element, text) { if (element.textContent !== text) element.textContent = text; }

function showCapture(capture) {
  shown = capture;
  const isOpen = capture.status === "open";
  put($("capture-title"), `Card of ${who(capture.caller)}`);
  const isWhole = isOpen && capture.required.length === 0;
  put($("status"), isWhole ? WHOLE : RESULTS[capture.result] || STATUSES[capture.status]);
  $("status").className = capture.status === "failed" ? "bad" : "";
  Object.entries(capture.fields).forEach(([name, field], place) => {
    showField(name, field, place + 1, isOpen);
  });
  const { card, payment } = capture;
  $("card").hidden = !card;
  if (card) {
    put($("card"), `${card.brand}, ending ${card.last4}, expires ${card.expires.slice(0, 2)}/${card.expires.slice(2)}`);
  }
  showPayment(payment);
  $("complete").hidden = $("cancel").hidden = $("shortcuts").hidden = OVER.includes(capture.status);
  $("complete").disabled = !isWhole;
  $("done").hidden = !isOver(capture);
  if (isOver(capture) && document.activeElement === document.body) $("done").focus();
}

function showPayment(payment) {
  $("payment").hidden = !payment;
  if (!payment) return;
  const number = payment.confirmation ? `. Confirmation number ${payment.confirmation}` : "";
  const advice = payment.bucket ? `. ${ADVICE[payment.bucket]}` : "";
  const fee = Number(payment.fee.amount) ? `, with a fee of ${money(payment.fee)}` : "";
  put($("payment"), `${PAYMENTS[payment.status]}: ${money(payment.amount)}${fee}${number}${advice}`);
  const isBad = !["waiting", "charging", "paid", "already-paid"].includes(payment.status);
  $("payment").className = payment.status === "paid" ? "paid" : isBad ? "bad" : "";
}

function showField(name, field, place, isOpen) {
  const row = $(`field-${name}`) || fieldRow(name, place);
  row.dataset.state = field.state;
  put(row.querySelector(".masked"), field.masked);
  const why = field.error_type ? `: ${ERRORS[field.error_type] || field.error_type}` : "";
  const tries = field.attempt > 1 ? ` (try ${field.attempt})` : "";
  put(row.querySelector(".state"), `${STATES[field.state]}${why}${tries}`);
  const ask = row.querySelector("button");
  put(ask, field.state === "waiting" ? "Ask" : "Ask again");
  ask.setAttribute("aria-label", `${ask.textContent}: ${FIELDS[name]}`);
  ask.disabled = !isOpen;
}

function fieldRow(name, place) {
  const row = document.createElement("li");
  row.id = `field-${name}`;
  for (const [kind, text] of [["place", `${place}.`], ["name", FIELDS[name]], ["masked", ""], ["state", ""]]) {
    const part = document.createElement("span");
    part.className = kind;
    part.textContent = text;
    row.append(part);
  }
  row.querySelector(".state").setAttribute("aria-live", "polite");
  const ask = document.createElement("button");
  ask.type = "button";
  ask.addEventListener("click", () => change({ capture: name }));
  row.append(ask);
  $("fields").append(row);
  return row;
}

function change(wanted) {
  return tried(async () => {
    showCapture(await (await api("PATCH", `/v1/captures/${shown.id}`, wanted)).json());
  });
}

function leave() {
  if (following) following.abort();
  sessionStorage.removeItem(CAPTURE);
  shown = null;
  say("");
  show("talks");
  $("talks-title").scrollIntoView();
}

function shortcut(event) {
  if (!event.altKey || event.ctrlKey || event.metaKey || !shown || $("capture").hidden) return;
  const button = event.code.startsWith("Digit")
    ? $("fields").children[Number(event.code.slice(5)) - 1]?.querySelector("button")
    : { KeyC: $("complete"), KeyX: $("cancel") }[event.code];
  if (!button) return;
  event.preventDefault();
  if (!button.disabled && !button.hidden) button.click();
}

async function begin() {
  const id = sessionStorage.getItem(CAPTURE);
  show("talks");
  if (!id) return;
  const answer = await tried(() => api("GET", `/v1/captures/${id}`));
  if (answer) open(await answer.json());
  else if (sessionStorage.getItem(KEY)) leave();
}

$("sign-in").addEventListener("submit", signIn);
$("sign-out").addEventListener("click", () => signOut());
$("what").addEventListener("submit", (event) => event.preventDefault());
$("mine").value = localStorage.getItem(MINE) || "";
$("mine").addEventListener("input", () => localStorage.setItem(MINE, $("mine").value));
$("complete").addEventListener("click", () => change({ status: "complete" }));
$("cancel").addEventListener("click", () => change({ status: "cancel" }));
$("done").addEventListener("click", leave);
document.addEventListener("keydown", shortcut);
if (sessionStorage.getItem(KEY)) begin();
else show("signing-in");
lookForCalls();
