// What HTML from a server cannot say: the page's language and title, one live region that
// outlives its text, focus that survives the end of what had it, a page that lost its
// end and asks for it again, and one that hears nothing more and says so.
(() => {
  const mark = () => {
    document.documentElement.lang = LANGUAGE;
    window.wellbeingLost = LOST;
    const shown = document.querySelector(".wb-lost b") ? [".wb-lost b"] : [".wb-called", "h1.wb-lead"];
    const said = shown.map((name) => document.querySelector(name)).filter(Boolean);
    const title = [...said.map((node) => node.textContent), TITLE].join(" · ");
    if (document.title !== title) document.title = title;
    const live = document.querySelector(".st-key-told");
    if (live && live.getAttribute("aria-live") !== "polite") {
      live.setAttribute("role", "status");
      live.setAttribute("aria-live", "polite");
      live.setAttribute("aria-atomic", "true");
      live.setAttribute("tabindex", "-1");
    }
  };
  if (CHOSEN) document.cookie = `wellbeing_language=${CHOSEN}; path=/; max-age=31536000; samesite=strict`;
  window.wellbeingMark = mark;
  mark();
  if (window.wellbeingWatching) return;
  window.wellbeingWatching = true;
  let held = null;
  let card = "";
  let leaving = false;
  const cardOf = (node) => node.closest('[class*="st-key-card-"]');
  const nameOf = (box) => [...box.classList].find((name) => name.startsWith("st-key-card-")) || "";
  document.addEventListener("focusin", (event) => {
    held = event.target;
    const box = cardOf(event.target);
    card = box ? nameOf(box) : "";
    leaving = Boolean(event.target.closest('[class*="st-key-go-"]'));
  });
  // Only focus that was lost because its element went away is put back; none is ever taken.
  const restore = () => {
    if (!held || held.isConnected || document.activeElement !== document.body) return;
    if (leaving) { begin(); return; }
    if (!card) { held = null; return; }
    const box = document.querySelector("." + CSS.escape(card));
    const next = box ? box.querySelector("button, textarea") : document.querySelector(".st-key-told");
    held = null;
    if (next) next.focus({ preventScroll: Boolean(box) });
  };
  // Whoever went to another page by key reads on at its heading, not at the browser's edge.
  const begin = () => {
    const heading = document.querySelector("h1.wb-lead");
    if (!heading) return;
    const top = heading.closest(".st-key-told") || heading;
    held = null;
    top.setAttribute("tabindex", "-1");
    top.focus();
  };
  // Every page ends with the languages. Streamlit (1.67) empties a page when a refresh of the
  // page before is answered after it, and dies of the next refresh: ask for the whole page, as
  // going back in the history would, and if it has died start over once the server answers.
  // One that says that it broke would break again; what stands above that can still be used.
  let bare = 0;
  const whole = async () => {
    const app = document.querySelector(".stApp");
    const there = app && app.dataset.testConnectionState === "CONNECTED";
    const drawn = document.querySelector(".st-key-languages, [data-testid=stException]");
    if (drawn || (app && !(there && app.dataset.testScriptState === "notRunning"))) bare = 0;
    else bare += 1;
    if (bare === 2 && app) window.dispatchEvent(new PopStateEvent("popstate"));
    if (bare % 25 !== 10) return;
    const health = await fetch("/_stcore/health").catch(() => null);
    if (health && health.ok) window.location.reload();
  };
  // Streamlit (1.67) gives up a turn to another page for a refresh of this one that comes while
  // the turn waits for a busy server: press again what the person pressed, three times at most.
  let turn = null;
  const links = () => [...document.querySelectorAll('[class*="st-key-go-"] a')];
  document.addEventListener("click", (event) => {
    const link = links().find((one) => one.contains(event.target));
    if (!link || !event.isTrusted || event.ctrlKey || event.metaKey || event.shiftKey) return;
    turn = { path: link.pathname, at: performance.now(), again: 0 };
  }, true);
  const turned = () => {
    if (turn && location.pathname === turn.path) turn = null;
    if (!turn || performance.now() - turn.at < 2000 * (turn.again + 1)) return;
    const link = links().find((one) => one.pathname === turn.path);
    if (!link || turn.again === 3) { turn = null; return; }
    turn.again += 1;
    turn.at = performance.now();
    link.click();
  };
  // A page that hears nothing more still looks as it did: what it says may be long untrue.
  let beat = "";
  let heard = 0;
  const listen = () => {
    const sign = document.querySelector(".wb-beat");
    const now = Date.now();
    if (sign && sign.dataset.at !== beat) { beat = sign.dataset.at; heard = now; }
    const lost = heard > 0 && Math.abs(now - heard) > 10000; // also if the clock was set back
    const told = document.querySelector(".wb-lost");
    if (!lost && told) told.remove();
    if (!lost || told) return;
    const time = new Date(heard).toTimeString().slice(0, 5);
    const box = document.body.appendChild(document.createElement("div"));
    box.className = "wb-lost";
    box.setAttribute("role", "alert");
    box.appendChild(document.createElement("b")).textContent = `✕ ${window.wellbeingLost[0]}`;
    box.append(window.wellbeingLost[1].replace("{time}", time));
  };
  setInterval(() => { whole(); turned(); listen(); }, 200);
  new MutationObserver(() => { window.wellbeingMark(); restore(); })
    .observe(document.body, { childList: true, subtree: true });
})();
