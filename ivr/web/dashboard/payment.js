// One payment: what was paid, with what, what became of it, and who did what.

import { get } from "/dashboard/api.js";
import { givingBack } from "/dashboard/giving_back.js";
import { chip, day, isSome, make, means, moment, money, notice, say, tell } from "/dashboard/page.js";
import { grouped } from "/dashboard/payments.js";

const AGAIN_MS = 3000;
const UNSURE = ["charging", "unknown"];

export function payment(place, id, leave) {
  let timer = null, shown = "", isOver = false, giving = null;
  const top = make("div"), beside = make("div", { class: "side" }), below = make("div");
  place.append(make("p", {}, make("a", { class: "back", href: "#/payments" }, say("all-payments"))), top,
    make("div", { class: "columns" }, below, beside));
  look(true);

  async function look(isFirst) {
    clearTimeout(timer);
    let one;
    try {
      one = await get(`/v1/payments/${encodeURIComponent(id)}`);
    } catch (error) {
      if (isOver) return;
      if (error.status === 401) return leave(error.message);
      // What is shown already stays; a page that never came says why.
      if (!shown) return failed(error);
      timer = setTimeout(look, AGAIN_MS);
      return;
    }
    if (isOver) return;
    if (JSON.stringify(one) !== shown) show(one, isFirst);
    if (isWaiting(one)) timer = setTimeout(look, AGAIN_MS);
  }

  function failed(error) {
    const again = make("button", { onclick: () => look(true) }, say("try-again"));
    top.replaceChildren(make("div", { role: "alert" }, notice("bad", error.message, error.more, again)));
  }

  function show(one, isFirst) {
    if (shown) tell(say("changed", { state: say(`state-${one.state}`) }));
    shown = JSON.stringify(one);
    document.title = `${money(one.amount)}, ${one.customer_name} · Saldo`;
    top.replaceChildren(head(one), ...notes(one));
    below.replaceChildren(invoices(one), history(one));
    if (giving) giving.update(one);
    else beside.append(make("div", { class: "facts-place" }), (giving = givingBack(one, () => look(false))).element);
    beside.firstChild.replaceChildren(facts(one));
    if (isFirst) top.querySelector("h1").focus();
  }

  return () => { isOver = true; clearTimeout(timer); if (giving) giving.close(); };
}

function isWaiting(one) { return UNSURE.includes(one.state) || isSome(one.refunding); }

function head(one) {
  return make("div", { class: "head" },
    make("div", {}, make("h1", { tabindex: "-1" }, money(one.amount)),
      make("p", { class: "soft" }, one.customer_name, ", ", say("account", { account: one.account_number }))),
    chip(one.state));
}

function notes(one) {
  const found = [];
  if (one.needs_person) found.push(notice("bad", say("needs-person")));
  else if (UNSURE.includes(one.state)) found.push(notice("waits", say("unsure")));
  if (isSome(one.refunding)) found.push(notice("waits", say("refund-unsure", { amount: money(one.refunding) })));
  return found;
}

function facts(one) {
  const charged = isSome(one.fee) ? [["fact-fee-within", money(one.fee)]] : [];
  const back = isSome(one.refunded) ? [["fact-refunded", money(one.refunded)]] : [];
  const rows = [
    ["fact-amount", money(one.amount)], ...charged, ...back,
    ["fact-means", means(one)],
    ["fact-way", say(one.by_link ? "way-link" : "way-telephone")],
    ["fact-confirmation", one.confirmation && make("span", { class: "code" }, grouped(one.confirmation))],
    ["fact-transaction", one.transaction_id && make("span", { class: "code" }, one.transaction_id)],
    ["fact-code", one.processor_code && make("span", { class: "code" }, one.processor_code)],
    ["fact-opened", moment(one.created_at)],
  ];
  return make("section", { class: "card", "aria-labelledby": "facts-title" },
    make("h2", { id: "facts-title" }, say("facts")),
    make("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => make(
      "div", {}, make("dt", {}, say(name)), make("dd", {}, value)))));
}

function invoices(one) {
  const list = one.invoices.map((each) => make("li", {},
    make("div", {}, make("strong", {}, each.service_label),
      make("span", { class: "soft" }, say("invoice", { number: each.number, day: day(each.due_date) })),
      ...standing(one, each).map((text) => make("span", { class: "soft" }, text))),
    make("span", { class: "sum" }, money(each.amount))));
  if (isSome(one.fee)) {
    list.push(make("li", {}, make("div", {}, say("fact-fee")), make("span", { class: "sum" }, money(one.fee))));
  }
  return make("section", { class: "card", "aria-labelledby": "invoices-title" },
    make("h2", { id: "invoices-title" }, say("invoices")), make("ul", { class: "invoices" }, list));
}

function standing({ state }, { amount, applied, reopened, due }) {
  const found = [];
  const isTaken = ["captured", "settled", "voided", "refunded", "returned"].includes(state);
  if (isTaken && Number(applied.amount) < Number(amount.amount)) {
    found.push(say("applied-less", { amount: money(applied) }));
  }
  if (isSome(reopened)) found.push(say("reopened", { amount: money(reopened) }));
  found.push(isSome(due) ? say("due", { amount: money(due) }) : say("paid-up"));
  return found;
}

function history(one) {
  const refunds = new Map(one.refunds.map((each) => [each.id, each]));
  return make("section", { class: "card", "aria-labelledby": "history-title" },
    make("h2", { id: "history-title" }, say("history")),
    make("ol", { class: "history" }, one.steps.map((step) => happened(step, refunds.get(step.refund)))));
}

const SIGNS = {
  captured: "good", settled: "good", "found-out": "good", "refund-done": "good", "sent-back": "good",
  declined: "bad", failed: "bad", returned: "bad", "refund-refused": "bad", "taken-again": "bad",
  unknown: "waits", "refund-unknown": "waits",
};

function happened({ at, kind, why }, refund) {
  const line = make("li", { class: SIGNS[kind] || "" }, make("span", { class: "at soft" }, moment(at, true)));
  const what = refund && kind !== "refund-unknown"
    ? say(`step-${kind}-${refund.kind}`, { amount: money(refund.amount) }) : say(`step-${kind}`);
  line.append(make("strong", {}, what));
  if (kind === "refund-asked") {
    line.append(make("span", {}, say("by-whom", { who: refund.who })),
      make("span", { class: "reason" }, say("quoted", { text: refund.reason })),
      make("span", { class: "soft" }, say(refund.reopen ? "invoices-owed" : "invoices-stay")));
  }
  if (why) line.append(make("span", { class: "soft", lang: "en" }, why));
  return line;
}
