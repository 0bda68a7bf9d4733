// The pay page. Card fields are frames of the payment provider: this script never sees what is
// typed into them, only the single-use number that stands for the card.
"use strict";

const main = document.getElementById("main");
const $ = (id) => document.getElementById(id);
const form = $("pay");
const HERE = `/pay/${main.dataset.code}`;
const PAUSE_MS = 2000; // between two looks at a payment that is being made
const LOOKS = 60; // after that the page says that we are confirming
const CONFIRM_MS = 5000;
const CONFIRM_LOOKS = 120;
const TRIES = 4; // to send the same order again when the connection fails
const TYPING_MS = 400;
const FIELDS_MS = 20000; // to load the card fields; then it is told, and PayPal is there without

let fields = null; // the provider's card fields
let busy = false;
let quote = { amount: form?.dataset.amount, card: fee("card"), paypal: fee("paypal") };
let quoting = Promise.resolve(true);

function fee(method) {
  return $(`fee-${method}`)?.dataset.fee;
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function ask(path, body) {
  const options = { headers: { "X-Pay-Form": main.dataset.form }, cache: "no-store" };
  if (body) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const language = `${path.includes("?") ? "&" : "?"}lang=${document.documentElement.lang}`;
  const answer = await fetch(HERE + path + language, options);
  if (answer.status === 429 || (answer.status >= 500 && answer.status !== 503)) throw new Error("no answer of ours");
  return answer.json();
}

// The number of one press of the button, also in telephones that cannot make a UUID themselves.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What is to be seen: the bill and the form, or one of the results.
function show(id) {
  for (const part of ["working", "paid", "confirming"]) $(part).hidden = part !== id;
  if ($("bill")) $("bill").hidden = id === "paid";
  if (form) form.hidden = Boolean(id);
  if (id) {
    $("notice").hidden = true;
    $(id).focus();
  }
}

function tell(word) {
  const template = document.querySelector(`template[data-notice="${word}"]`);
  const notice = $("notice");
  show(null);
  notice.hidden = false;
  notice.textContent = template ? template.content.textContent : "";
  notice.focus();
  notice.scrollIntoView({ block: "nearest" });
}

function filled(element, values) {
  return Object.entries(values).reduce((text, [gap, value]) => text.replaceAll(`{${gap}}`, value), element.dataset.text);
}

function showPaid(answer) {
  $("paid-amount").textContent = filled($("paid-amount"), { amount: answer.amount });
  $("confirmation").textContent = answer.confirmation;
  const lines = answer.reactivated.map((line) => {
    const item = document.createElement("li");
    item.textContent = filled($("reactivated"), { line });
    return item;
  });
  $("reactivated").replaceChildren(...lines);
  $("reactivated").hidden = !lines.length;
  show("paid");
}

// The page again, with a word about what happened: the bill may be another one now.
function again(word) {
  const language = document.documentElement.lang;
  location.replace(`${HERE}?lang=${language}${word ? `&said=${word}` : ""}`);
}

async function look(key) {
  try {
    const answer = await ask(`/result/${key}`);
    if (answer.state !== "away") return answer;
  } catch {
    // the connection, not the payment
  }
  return { state: "working" }; // look again
}

// Follow one press of the button until it is known what became of it.
async function follow(answer, key) {
  for (let looks = 0; answer.state === "working" && looks < LOOKS; looks++) {
    await pause(PAUSE_MS);
    answer = await look(key);
  }
  if (answer.state === "working") answer = { state: "confirming" };
  if (answer.state === "confirming") {
    show("confirming");
    for (let looks = 0; ["confirming", "working"].includes(answer.state); looks++) {
      if (looks === CONFIRM_LOOKS) return;
      await pause(CONFIRM_MS);
      answer = await look(key);
    }
  }
  finish(answer);
}

function finish(answer) {
  busy = false;
  if (answer.state === "paid") showPaid(answer);
  else if (["changed", "paid_meanwhile", "closed"].includes(answer.state)) again(answer.state);
  else if (form) tell(answer.state === "declined" ? `declined_${answer.advice}` : answer.state);
  else again(answer.state === "declined" ? `declined_${answer.advice}` : answer.state);
}

// Send one order; the same again if the connection fails, which is one payment all the same.
// If one may have arrived whose answer did not, nobody knows what became of it: it is looked for.
async function order(path, body) {
  let lost = false;
  for (let tried = 1; ; tried++) {
    try {
      const answer = await ask(path, body);
      if (answer.state !== "away") return answer;
    } catch {
      lost = true;
    }
    if (tried === TRIES) return { state: lost ? "working" : "away" };
    await pause(PAUSE_MS);
  }
}

function begin() {
  busy = true;
  $("live").textContent = $("working").querySelector("h2").textContent;
  show("working");
}

// Whether the amount may be paid; if not, what is wrong is said where it was typed.
async function amountIsGood() {
  if (await quoting) return true;
  quoting = requote(); // what the button says may change by it: only the next press pays
  await quoting;
  $("part-amount").focus();
  return false;
}

async function payByCard() {
  if (busy || !fields) return;
  busy = true; // before anything is waited for: a second press must find it so
  const nonce = (await amountIsGood()) && (await cardAsNonce());
  if (!nonce) {
    busy = false;
    return;
  }
  begin();
  const key = newKey();
  await follow(await order("/card", { key, amount: quote.amount, fee: quote.card, nonce }), key);
}

// The fields judge themselves: what the page has heard of them may be older than the last key.
async function cardAsNonce() {
  try {
    return (await fields.tokenize()).nonce;
  } catch (error) {
    const every = Object.keys(fields.getState().fields);
    const wrong = error.code === "HOSTED_FIELDS_FIELDS_EMPTY" ? every : error.details?.invalidFieldKeys;
    if (!complain(wrong ?? [])) tell("not_charged");
    return "";
  }
}

async function payByPayPal() {
  if (busy) return;
  busy = true;
  if (!(await amountIsGood())) {
    busy = false;
    return;
  }
  begin();
  const language = document.documentElement.lang;
  const wanted = { key: newKey(), amount: quote.amount, fee: quote.paypal, language };
  // Sent once: nothing moves before it is approved, and another press makes another one.
  const answer = await ask("/paypal", wanted).catch(() => ({ state: "away" }));
  if (answer.approval_url) location.assign(answer.approval_url);
  else finish(answer);
}

// Back from PayPal: the address says which payment was approved.
async function approved() {
  begin();
  const said = new URLSearchParams(location.search);
  const key = main.dataset.key;
  const body = { key, payment_id: said.get("paymentId") ?? "", payer_id: said.get("PayerID") ?? "" };
  await follow(await order("/paypal/approved", body), key);
}

// Mark fields that are empty or wrong; whether there was one.
function complain(wrong) {
  for (const container of document.querySelectorAll(".hosted")) mark(container.dataset.field, wrong.includes(container.dataset.field));
  if (!wrong.length) return false;
  $("live").textContent = wrong.map((field) => $(`wrong-${field}`).textContent).join(" ");
  fields.focus(wrong[0]);
  return true;
}

function mark(field, bad) {
  $(`field-${field}`).classList.toggle("bad", bad);
  $(`wrong-${field}`).hidden = !bad;
  fields.setAttribute({ field, attribute: "aria-invalid", value: bad });
}

// A script of the payment provider's.
function load(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${main.dataset.scripts}/js/${name}.min.js`;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

async function loadFields() {
  try {
    const late = pause(FIELDS_MS).then(() => Promise.reject(new Error("too late")));
    const parts = Promise.all([ask("/token", {}), load("client"), load("hosted-fields")]);
    const [{ token }] = await Promise.race([parts, late]);
    if (!token) throw new Error("no token");
    const client = await braintree.client.create({ authorization: token });
    const wanted = {};
    for (const { id, dataset } of document.querySelectorAll(".hosted")) {
      wanted[dataset.field] = { container: `#${id}`, iframeTitle: dataset.title, internalLabel: dataset.title, placeholder: dataset.example ?? "" };
    }
    const styles = { input: { "font-size": "16px", "font-family": "system-ui, sans-serif", color: "#1b2430" } };
    fields = await braintree.hostedFields.create({ client, fields: wanted, styles });
  } catch {
    if (!busy) tell("fields_away");
    return;
  }
  fields.on("focus", ({ emittedBy }) => $(`field-${emittedBy}`).classList.add("focused"));
  fields.on("blur", ({ emittedBy, fields: states }) => {
    $(`field-${emittedBy}`).classList.remove("focused");
    const { isEmpty, isValid } = states[emittedBy];
    mark(emittedBy, !isEmpty && !isValid);
  });
  fields.on("validityChange", ({ emittedBy, fields: states }) => states[emittedBy].isValid && mark(emittedBy, false));
  fields.on("inputSubmitRequest", payByCard);
  $("pay-card").disabled = false;
}

// A part of the bill: the server says what it costs, and whether it may be paid.
function chosenAmount() {
  return $("much-part")?.checked ? $("part-amount").value : form.dataset.amount;
}

async function requote() {
  let answer;
  try {
    answer = await ask(`/quote?amount=${encodeURIComponent(chosenAmount())}`);
  } catch {
    answer = { state: "away" };
  }
  if (answer.state === "closed") return again("closed");
  if (answer.state) {
    tell(answer.state);
    return false;
  }
  const wrong = $("part-wrong");
  wrong.hidden = !answer.wrong;
  wrong.textContent = answer.wrong ?? "";
  $("part-amount").setAttribute("aria-invalid", Boolean(answer.wrong));
  if (answer.wrong) {
    $("live").textContent = answer.wrong;
    return false;
  }
  quote = { amount: answer.amount };
  for (const method of ["card", "paypal"]) {
    if (!$(`pay-${method}`)) continue;
    quote[method] = answer[method].fee;
    $(`pay-${method}`).textContent = filled($(`pay-${method}`), { amount: answer[method].total_text });
    const note = $(`fee-${method}`);
    note.textContent = filled(note, { fee: answer[method].fee_text });
    note.hidden = answer[method].free;
  }
  return true;
}

function watchPart() {
  let typing;
  const soon = (milliseconds) => {
    clearTimeout(typing);
    quoting = new Promise((resolve) => (typing = setTimeout(() => requote().then(resolve), milliseconds)));
  };
  $("part-amount").addEventListener("input", () => soon(TYPING_MS));
  for (const choice of document.querySelectorAll("[name=much]")) {
    choice.addEventListener("change", () => {
      $("part").hidden = !$("much-part").checked;
      if ($("much-part").checked) $("part-amount").focus();
      if (!$("much-part").checked || $("part-amount").value) soon(0);
      else quoting = Promise.resolve(false);
    });
  }
}

async function start() {
  if (form) {
    form.hidden = false; // without this script it would be of no use
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      payByCard();
    });
    $("pay-paypal")?.addEventListener("click", payByPayPal);
    if ($("much-part")) watchPart();
    if ($("by-card")) loadFields();
  }
  if (main.dataset.said) tell(main.dataset.said);
  if (main.dataset.state === "approved") await approved();
  if (main.dataset.state === "confirming") {
    for (let looks = 0; looks < CONFIRM_LOOKS; looks++) {
      await pause(CONFIRM_MS);
      const { state } = await ask("/state").catch(() => ({ state: "confirming" }));
      if (state !== "confirming") return again("");
    }
  }
}

// Back from PayPal by the browser's own button, the page is as it was left: waiting for ever.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
history.scrollRestoration = "manual"; // what there is to say is at the top
start();
