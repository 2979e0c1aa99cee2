// The page works without this: it sends forms in place and keeps what is shown fresh, and never
// moves the focus, closes what is open, or moves or changes what is pointed at or being read.
"use strict";
(() => {
  const EVERY_MS = 10000;
  const LATE_MS = 12000;  // the edge itself gives up before
  const ANSWER_MS = 2000;  // within which the server usually says what became of a request
  const said = document.getElementById("said");
  const shown = new Map();  // what the server said last of each piece
  const underWay = new Set();  // what was pressed and is not answered yet

  const GOES_ON = ["Tab", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"];
  let isGone = false;
  let isLooking = false;

  const pieces = (root) => root.querySelectorAll("[data-live]");
  for (const piece of pieces(document)) shown.set(piece.id, piece.innerHTML);

  // In view until the person goes on; then it must not cover what they go on to.
  function tell(text, isError) {
    if (said.textContent.trim() === text.trim()) return;
    staying(() => {
      said.textContent = text;
      said.classList.toggle("error", isError);
      said.classList.add("fresh");
    });
  }

  function goOn() {
    if (!isGone) said.classList.remove("fresh");
  }

  function setGone(is) {
    isGone = is;
    document.body.classList.toggle("gone", is);
    if (is) tell(document.body.dataset.gone, true);
    else if (said.textContent === document.body.dataset.gone) tell("", false);
  }

  function isInView(node) {
    const box = node.getBoundingClientRect();
    return box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  }

  // Do what changes the page's height: what is pointed at, has the focus or is at the top stays.
  function staying(change) {
    const held = [...document.querySelectorAll("button:hover, select:hover, summary:hover, a:hover")];
    if (document.activeElement !== document.body) held.push(document.activeElement);
    held.push(...document.querySelectorAll("main section > *"));
    const places = held.filter(isInView).map((node) => [node, node.getBoundingClientRect().top]);
    change();
    for (const [node, top] of places) {
      const now = node.isConnected ? node : node.id && document.getElementById(node.id);
      if (!now) continue;
      scrollBy({ top: now.getBoundingClientRect().top - top, behavior: "instant" });
      return;
    }
  }

  function swap(piece, html) {
    const open = [...piece.querySelectorAll("details[open][id]")].map((each) => each.id);
    piece.innerHTML = html;
    shown.set(piece.id, html);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  }

  function update(html, own) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    let moved = null;
    staying(() => {
      for (const found of pieces(fresh)) {
        const piece = document.getElementById(found.id);
        if (!piece || found.innerHTML === shown.get(found.id)) continue;
        const holds = piece.contains(document.activeElement);
        if (!own && holds) retell(found);
        if (!own && (holds || piece.closest("details[open]"))) continue;
        const focused = holds ? document.activeElement.id : "";
        swap(piece, found.innerHTML);
        if (holds) moved = refocus(piece, focused);
      }
    });
    if (moved && !isInView(moved)) moved.scrollIntoView({ block: "center", behavior: "instant" });
    return fresh.getElementById("said");
  }

  // No button changes under the focus, but what is said beside it must be true.
  function retell(found) {
    for (const fresh of found.querySelectorAll("[data-words]")) {
      const old = document.getElementById(fresh.id);
      if (old && old.innerHTML !== fresh.innerHTML) old.innerHTML = fresh.innerHTML;
    }
  }

  // The button that was pressed may have become another: Pause, Resume.
  function refocus(piece, id) {
    const same = id && document.getElementById(id);
    const next = same || piece.querySelector("button, summary") || said;
    next.focus({ preventScroll: true });
    return next;
  }

  async function load(request, options) {
    const answer = await fetch(request, options);
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
  }

  // Pause must not wait for a call for help that nobody answers: only the same thing waits.
  async function send(form) {
    const body = new URLSearchParams(new FormData(form));
    const order = body.toString();
    if (underWay.has(order)) return;
    underWay.add(order);
    tell(document.body.dataset.sending, false);
    const late = setTimeout(() => tell(document.body.dataset.late, true), LATE_MS);
    try {
      const answer = update(await load(form.action, { method: "POST", body, headers: { "X-In-Place": "1" } }), true);
      tell(answer.textContent, answer.classList.contains("error"));
      if (!answer.classList.contains("error")) form.reset();
    } catch {
      setGone(true);
    }
    clearTimeout(late);
    underWay.delete(order);
    setTimeout(refresh, ANSWER_MS);
  }

  async function refresh() {
    if (document.hidden || underWay.size || isLooking) return;
    isLooking = true;
    try {
      const html = await load("live", { signal: AbortSignal.timeout(LATE_MS) });
      if (!underWay.size) update(html, false);
      setGone(false);
    } catch {
      setGone(true);
    }
    isLooking = false;
  }

  document.addEventListener("submit", (event) => {
    if (event.target.classList.contains("languages")) return;  // another language is another page
    event.preventDefault();
    send(event.target);
  });
  document.documentElement.style.overflowAnchor = "none";  // the browser's own keeps what is at the top only
  for (const kind of ["wheel", "touchmove"]) document.addEventListener(kind, goOn, { passive: true });
  document.addEventListener("keydown", (event) => GOES_ON.includes(event.key) && goOn());
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY_MS);
})();
