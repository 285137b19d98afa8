// Keeps the parts of a page current while somebody looks at it. A hidden page is not connected.
"use strict";

const AGAIN_MS = 5000;
const live = document.querySelector("[data-events]");
const told = document.getElementById("live");
let source = null;
let later = 0;

function say(words, state) {
  if (told.textContent !== words) told.textContent = words;
  told.dataset.state = state;
}

// What is focused is found again by what it leads to, so that the keyboard stays where it was.
function mark(element) {
  if (element.matches("a[href]")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  if (element.matches("form button")) {
    return `form[action="${CSS.escape(element.form.getAttribute("action"))}"] button`;
  }
  const name = element.getAttribute("aria-label");
  return name ? `[aria-label="${CSS.escape(name)}"]` : null;
}

function replace(part, html) {
  const selection = getSelection();
  if (!selection.isCollapsed && selection.containsNode(part, true)) return; // it is being copied
  const focused = part.contains(document.activeElement) ? mark(document.activeElement) : null;
  const scrolled = [...part.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  part.innerHTML = html; // escaped by the server; the page's policy runs no script in it
  part.querySelectorAll(".scroll").forEach((each, place) => (each.scrollLeft = scrolled[place]));
  if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
}

function connect() {
  clearTimeout(later);
  if (source || document.hidden) return;
  source = new EventSource(live.dataset.events);
  source.onopen = () => say("live", "on");
  source.onerror = () => {
    say("not connected", "off");
    if (source.readyState === EventSource.CLOSED) refused();
  };
  for (const part of live.querySelectorAll("[data-part]")) {
    source.addEventListener(part.dataset.part, (event) => replace(part, event.data));
  }
}

function disconnect() {
  source?.close();
  source = null;
}

// Who is logged out is shown the login form; else it is tried again.
async function refused() {
  disconnect();
  later = setTimeout(connect, AGAIN_MS);
  const answer = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (answer?.type === "opaqueredirect") location.reload();
}

if (live) {
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});
