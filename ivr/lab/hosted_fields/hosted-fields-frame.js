// One field of a card in a frame of the stand-in gateway. The frames of one form tell each other
// what was typed over a channel that the page around them cannot hear; one of them asks for a token.
"use strict";
const [field, channel] = location.hash.slice(1).split(",");
const input = document.getElementById("field");
const siblings = new BroadcastChannel(`hosted-fields-${channel}`);
const HINTS = { number: "cc-number", expirationDate: "cc-exp", cvv: "cc-csc" };
const LONGEST = { number: 23, expirationDate: 7, cvv: 4 };
let state = { isEmpty: true, isFocused: false, isPotentiallyValid: true, isValid: false };
let token = null;

function tell(kind, more = {}) {
  // The page around us may be anybody's: nothing that was typed is ever told to it.
  parent.postMessage({ channel, field, kind, state, ...more }, "*");
}

function digits() {
  return input.value.replace(/\D/g, "");
}

function luhn(number) {
  let sum = 0;
  for (let place = 0; place < number.length; place++) {
    const digit = Number(number[number.length - 1 - place]);
    sum += place % 2 ? (digit * 2 > 9 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
}

function expiry() {
  const [month, year] = [digits().slice(0, 2), digits().slice(2)];
  return { month, year: year.length === 2 ? `20${year}` : year };
}

function valid() {
  if (field === "number") return /^\d{12,19}$/.test(digits()) && luhn(digits());
  if (field === "cvv") return /^\d{3,4}$/.test(digits());
  const { month, year } = expiry();
  const end = new Date(Number(year), Number(month), 1);
  return /^(0[1-9]|1[0-2])$/.test(month) && year.length === 4 && end > new Date();
}

function tidy() {
  if (field === "number") input.value = digits().slice(0, 19).replace(/(\d{4})(?=\d)/g, "$1 ");
  if (field === "cvv") input.value = digits().slice(0, 4);
  if (field === "expirationDate") {
    const [month, year] = [digits().slice(0, 2), digits().slice(2, 6)];
    input.value = year || (month.length === 2 && !input.value.endsWith(month)) ? `${month}/${year}` : month;
  }
}

function change() {
  tidy();
  const before = state;
  const now = valid();
  state = { ...state, isEmpty: !input.value, isValid: now, isPotentiallyValid: now || document.activeElement === input };
  if (before.isEmpty !== state.isEmpty) tell(state.isEmpty ? "empty" : "notEmpty");
  if (before.isValid !== state.isValid || before.isPotentiallyValid !== state.isPotentiallyValid) tell("validityChange");
}

input.addEventListener("input", change);
input.addEventListener("focus", () => { state = { ...state, isFocused: true }; tell("focus"); });
input.addEventListener("blur", () => { state = { ...state, isFocused: false, isPotentiallyValid: state.isValid }; tell("blur"); });
input.addEventListener("keydown", (event) => { if (event.key === "Enter") tell("inputSubmitRequest"); });

function own() {
  return { value: field === "expirationDate" ? expiry() : digits(), isEmpty: !input.value, isValid: valid() };
}

siblings.addEventListener("message", ({ data }) => {
  if (data.ask && data.ask !== field) siblings.postMessage({ from: field, id: data.id, said: own() });
});

async function collect() {
  const said = { number: own() };
  const id = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("a field did not answer")), 3000);
    siblings.addEventListener("message", ({ data }) => {
      if (data.id !== id) return;
      said[data.from] = data.said;
      if (said.expirationDate && said.cvv) {
        clearTimeout(limit);
        resolve(said);
      }
    });
    siblings.postMessage({ ask: field, id });
  });
}

const TOKENIZE = `mutation TokenizeCreditCard($input: TokenizeCreditCardInput!) {
  tokenizeCreditCard(input: $input) { paymentMethod { id details { ... on CreditCardDetails { brandCode bin last4 expirationMonth expirationYear } } } } }`;

async function tokenize(id) {
  try {
    const said = await collect();
    const invalid = Object.keys(HINTS).filter((name) => !said[name].isValid);
    if (invalid.length) {
      tell("answer", { id, invalid, isEmpty: Object.values(said).every((one) => one.isEmpty) });
      return;
    }
    const { month, year } = said.expirationDate.value;
    const creditCard = { number: said.number.value, cvv: said.cvv.value, expirationMonth: month, expirationYear: year };
    const answer = await fetch(token.graphQL.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token.authorizationFingerprint}` },
      body: JSON.stringify({ query: TOKENIZE, variables: { input: { creditCard, options: { validate: false } } } }),
    });
    const { data } = await answer.json();
    const { id: nonce, details } = data.tokenizeCreditCard.paymentMethod;
    const shown = { bin: details.bin, lastFour: details.last4, lastTwo: details.last4.slice(2), expirationMonth: details.expirationMonth, expirationYear: details.expirationYear, cardType: details.brandCode };
    tell("answer", { id, payload: { nonce, type: "CreditCard", details: shown, description: `ending in ${details.last4.slice(2)}` } });
  } catch {
    tell("answer", { id, failed: true });
  }
}

function setUp({ placeholder, label, styles, token: given }) {
  token = given;
  input.autocomplete = HINTS[field];
  input.inputMode = "numeric";
  input.maxLength = LONGEST[field];
  if (placeholder) input.placeholder = placeholder;
  if (label) document.getElementById("label").textContent = label;
  for (const [name, value] of Object.entries(styles?.input ?? {})) input.style.setProperty(name, value);
  tell("shown");
}

addEventListener("message", ({ data, source }) => {
  if (source !== parent || data.channel !== channel) return;
  if (data.kind === "set-up") setUp(data);
  if (data.kind === "focus-yourself") input.focus();
  if (data.kind === "attribute") input.setAttribute(data.attribute, data.value);
  if (data.kind === "tokenize") tokenize(data.id);
});

tell("ready");
