// Giving money back: the form, the last look before it happens, and the honest answer.

import { get, may, me, newKey, post } from "/dashboard/api.js";
import { isSome, make, means, money, notice, say, tell } from "/dashboard/page.js";

const REFUNDABLE = ["captured", "settled"];
const SHORTEST = 3, LONGEST = 300; // of a reason

/** The panel of one payment; `changed` is called when something happened to it. */
export function givingBack(first, changed) {
  const element = make("section", { class: "card", "aria-labelledby": "back-title", hidden: true });
  const title = make("h2", { id: "back-title" }, say("give-back"));
  let one = first, isBusy = false, dialog = null;
  closed();

  function put(...content) {
    element.replaceChildren(title, ...content.flat().filter(Boolean));
    element.hidden = false;
  }

  /** Nothing is begun: what can be, or why nothing. `told` is how the last one ended. */
  function closed(told) {
    isBusy = false;
    const wish = unanswered(one.id);
    if (wish) return askAgain(wish, told);
    const why = hindrance();
    if (why === null && !told) element.hidden = true;
    else if (why !== undefined) put(told, why && make("p", { class: "soft" }, why));
    else put(told, make("p", { class: "soft" }, say("left", { amount: money(left()) })),
      make("button", { class: "main-button", id: "give-back", onclick: begin }, say("give-back-button")));
    if (told) told.focus();
  }

  function left() {
    const digits = one.amount.amount.split(".")[1]?.length || 0;
    const parts = [one.amount, one.refunded, one.refunding].map(({ amount }) => minor(amount, digits));
    return { ...one.amount, amount: major(parts[0] - parts[1] - parts[2], digits) };
  }

  /** Why nothing can be given back now; null: there is nothing to say about it. */
  function hindrance() {
    if (!REFUNDABLE.includes(one.state)) return null;
    if (!isSome(left())) return null;
    return may("refunds") ? undefined : say("no-right");
  }

  async function begin() {
    isBusy = true;
    put(make("p", { role: "status" }, say("asking-gateway")));
    try {
      form(await get(`/v1/payments/${one.id}/refundable`));
    } catch (error) {
      const why = { 409: say("not-now"), 503: say("gateway-away") }[error.status] || error.message;
      closed(notice("bad", why, error.more));
    }
  }

  function form({ kind, left: most }) {
    const isVoid = kind === "void";
    const reason = make("textarea", { id: "reason", rows: "3", maxlength: LONGEST, required: true,
      "aria-describedby": "reason-hint reason-wrong" });
    const typed = make("input", { id: "part-amount", inputmode: "decimal", autocomplete: "off", maxlength: "14",
      "aria-describedby": "part-wrong" });
    const part = make("input", { type: "radio", name: "much", id: "much-part", value: "part" });
    const whole = make("input", { type: "radio", name: "much", id: "much-all", value: "all", checked: true });
    const reopen = make("input", { type: "checkbox", id: "reopen" });
    const partBox = make("div", { class: "part", hidden: true },
      make("label", { for: "part-amount" }, say("part-label", { currency: most.currency })), typed, wrong("part-wrong"));
    const much = make("fieldset", { onchange: (event) => {
      partBox.hidden = !part.checked;
      if (event.target === part) typed.focus();
    } }, make("legend", {}, say("how-much")),
    choice(whole, say("all-left", { amount: money(most) })), choice(part, say("a-part")), partBox);

    put(make("form", { novalidate: true, onsubmit: (event) => {
      event.preventDefault();
      const amount = !isVoid && part.checked ? typedAmount(typed.value, most) : most;
      flag(typed, "part-wrong", amount ? "" : say("part-wrong", { amount: money(most) }));
      const why = reason.value.trim();
      flag(reason, "reason-wrong", why.length < SHORTEST ? say("reason-wrong") : "");
      const first = element.querySelector("[aria-invalid=true]");
      if (first) return first.focus();
      const body = { reason: why, reopen: reopen.checked, ...(isVoid ? {} : { amount }) };
      confirm({ payment: one.id, kind, amount, body, key: newKey() });
    } },
    isVoid ? notice("waits", say("void-only", { amount: money(most) })) : much,
    make("label", { for: "reason" }, say("reason")), reason,
    make("p", { class: "soft", id: "reason-hint" }, say("reason-hint")), wrong("reason-wrong"),
    choice(reopen, say("reopen")),
    make("div", { class: "buttons" }, make("button", { class: "main-button" }, say("continue")),
      make("button", { type: "button", onclick: () => { closed(); element.querySelector("button")?.focus(); } }, say("cancel")))));
    (isVoid ? reason : whole).focus();
  }

  /** The last look: exactly what will happen. */
  function confirm(wish) {
    const gaps = { amount: money(wish.amount), currency: wish.amount.currency, means: means(one), name: one.customer_name };
    const rows = [
      ["what", say(`what-${wish.kind}`)], ["fact-amount", say("amount-exact", gaps)],
      ["to-where", means(one)], ["invoices", say(wish.body.reopen ? "invoices-owed" : "invoices-stay")],
      ["reason", wish.body.reason], ["in-the-name-of", me.name],
    ];
    const yes = make("button", { class: "danger", id: "do-it", onclick: () => {
      yes.disabled = no.disabled = true;
      said.textContent = say("asking-gateway");
      send(wish);
    } }, say(`do-${wish.kind}`, gaps));
    const no = make("button", { onclick: () => dialog.close() }, say("change-it"));
    const said = make("p", { role: "status", class: "soft" });
    dialog = make("dialog", { "aria-labelledby": "sure-title", "aria-describedby": "sure-text",
      oncancel: (event) => { if (yes.disabled) event.preventDefault(); },
      onclose: (event) => { event.target.remove(); dialog = null; } },
    make("h2", { id: "sure-title" }, say(`sure-${wish.kind}`, gaps)),
    make("p", { id: "sure-text" }, say(`sure-${wish.kind}-text`, gaps)),
    make("dl", { class: "facts" }, rows.map(([name, value]) => make("div", {}, make("dt", {}, say(name)), make("dd", {}, value)))),
    said, make("div", { class: "buttons" }, yes, no));
    document.body.append(dialog);
    dialog.showModal();
    no.focus(); // Enter out of habit gives nothing back
  }

  /** One wish, one key: whatever happens to the answer, sending it again does nothing twice. */
  async function send(wish) {
    keep(wish);
    let told;
    try {
      const refund = await post(`/v1/payments/${wish.payment}/${wish.kind}`, wish.body, wish.key);
      drop(wish.payment);
      told = refund.state === "done"
        ? notice("good", say(`done-${refund.kind}`, { amount: money(refund.amount) }))
        : notice("waits", say("refund-accepted"));
    } catch (error) {
      if (error.isAnswer) drop(wish.payment);
      told = notice("bad", error.isAnswer ? say("nothing-back") : say("no-answer"), error.more);
    }
    if (dialog) dialog.close();
    tell(told.firstChild.textContent);
    closed(told);
    changed();
  }

  /** Something was sent, and no answer came: nothing else is begun before that is known. */
  function askAgain(wish, told) {
    const again = make("button", { class: "main-button", onclick: () => {
      again.disabled = true;
      isBusy = true;
      send(wish);
    } }, say("ask-again"));
    put(told, make("p", {}, say("unanswered", { amount: money(wish.amount) })),
      make("p", { class: "soft" }, say("unanswered-more")), may("refunds") && again);
    if (told) told.focus();
  }

  return {
    element,
    update(now) {
      const before = JSON.stringify([one.state, one.refunded, one.refunding]);
      one = now;
      const isSame = before === JSON.stringify([one.state, one.refunded, one.refunding]);
      const stays = isSome(one.refunding) ? ".notice" : ".notice:not(.waits)";
      if (!isSame && !isBusy) closed(element.querySelector(stays));
    },
    close() { if (dialog) dialog.close(); },
  };
}

function choice(input, text) { return make("label", { class: "choice" }, input, make("span", {}, text)); }

function wrong(id) { return make("p", { class: "wrong", id, hidden: true }); }

function flag(input, id, text) {
  const place = document.getElementById(id);
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

// --- amounts, in whole cents and the like: never as a fraction

function minor(amount, digits) {
  const [whole, part = ""] = amount.split(".");
  return Number(whole + part.padEnd(digits, "0"));
}

function major(count, digits) {
  const text = String(count).padStart(digits + 1, "0");
  return digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
}

/** What was typed as a part of `most`; null if it is none. */
export function typedAmount(text, most) {
  const digits = most.amount.split(".")[1]?.length || 0;
  const found = text.replace(/\s/g, "").match(/^(\d{1,9})(?:[.,](\d+))?$/);
  if (!found || (found[2] || "").length > digits) return null;
  const count = minor(`${found[1]}.${found[2] || ""}`, digits);
  const isPart = count > 0 && count <= minor(most.amount, digits);
  return isPart ? { amount: major(count, digits), currency: most.currency } : null;
}

// --- wishes without an answer, for as long as the tab is open

const place = (payment) => `saldo-wish-${payment}`;
function keep(wish) { sessionStorage.setItem(place(wish.payment), JSON.stringify(wish)); }
function drop(payment) { sessionStorage.removeItem(place(payment)); }
function unanswered(payment) { return JSON.parse(sessionStorage.getItem(place(payment))); }
