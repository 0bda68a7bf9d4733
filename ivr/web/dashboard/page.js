// What every part of the dashboard is made of: elements, words, amounts, times.

const LANGUAGES = ["en", "es"];
const CHOSEN = "saldo-language";

let words = {};
export let language = "en";

export const byId = (id) => document.getElementById(id);

/** A new element; `what` are attributes, `onclick` and the like are listened to. */
export function make(name, what = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(what)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...content.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

/** The words of an id, their gaps filled. */
export function say(id, gaps = {}) {
  return words[id].replace(/\{(\w+)\}/g, (_, gap) => gaps[gap]);
}

/** Told to who does not see the page. */
export function tell(text) { byId("live").textContent = text; }

function preferred() {
  const known = [localStorage.getItem(CHOSEN), ...navigator.languages];
  return known.map((each) => (each || "").slice(0, 2)).find((each) => LANGUAGES.includes(each)) || "en";
}

/** Load the words of the language that was chosen, or that the browser prefers. */
export async function speak(chosen) {
  if (chosen) localStorage.setItem(CHOSEN, chosen);
  const wanted = preferred();
  const answer = await fetch(`/dashboard/words.${wanted}.json`);
  words = await answer.json();
  language = wanted;
  document.documentElement.lang = wanted;
}

export function otherLanguage() { return LANGUAGES.find((each) => each !== language); }

function locale() { // en-GB rather than en, where the browser has it
  return navigator.languages.find((each) => each.slice(0, 2) === language) || language;
}

export function money({ amount, currency }) {
  return new Intl.NumberFormat(locale(), { style: "currency", currency }).format(amount);
}

export function isSome({ amount }) { return Number(amount) > 0; }

export function moment(text, seconds = false) {
  const how = { dateStyle: "medium", timeStyle: seconds ? "medium" : "short" };
  return make("time", { datetime: text }, new Intl.DateTimeFormat(locale(), how).format(new Date(text)));
}

export function day(text) { // of a calendar, not of a time zone
  const how = { dateStyle: "medium", timeZone: "UTC" };
  return new Intl.DateTimeFormat(locale(), how).format(new Date(`${text}T00:00:00Z`));
}

/** "Visa ending 1111" and the like. */
export function means(payment) {
  const { method, brand, last4, account_type: account, payer } = payment;
  if (method === "paypal") return payer ? `PayPal, ${payer}` : "PayPal";
  if (method === "bank-account") {
    return last4 ? say(`account-${account || "checking"}`, { last4 }) : say("method-bank-account");
  }
  if (!last4) return say(`method-${method}`);
  const name = { amex: "American Express", mastercard: "Mastercard", jcb: "JCB" }[brand]
    || brand.charAt(0).toUpperCase() + brand.slice(1);
  return say(method === "card-on-file" ? "kept-card" : "card", { brand: name, last4 });
}

const LOOKS = {
  created: "idle", canceled: "idle", charging: "waits", unknown: "waits", captured: "good",
  settled: "good", declined: "bad", failed: "bad", returned: "bad", voided: "back", refunded: "back",
};

/** How a payment stands, in words and with a sign. */
export function chip(state) {
  return make("span", { class: `chip ${LOOKS[state]}` }, say(`state-${state}`));
}

/** A sentence that must be seen; `kind` is good, bad or waits. */
export function notice(kind, text, more, ...rest) {
  const box = make("div", { class: `notice ${kind}`, tabindex: "-1" }, make("p", {}, text));
  if (more) box.append(make("p", { class: "soft", lang: "en" }, more));
  box.append(...rest);
  return box;
}
