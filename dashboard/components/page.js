// What HTML from a server cannot say: the page's language, one live region that
// outlives its text, and focus that survives the end of the button that had it.
(() => {
  const mark = () => {
    document.documentElement.lang = LANGUAGE;
    const live = document.querySelector(".st-key-told");
    if (live && live.getAttribute("aria-live") !== "polite") {
      live.setAttribute("role", "status");
      live.setAttribute("aria-live", "polite");
      live.setAttribute("aria-atomic", "true");
      live.setAttribute("tabindex", "-1");
    }
  };
  window.wellbeingMark = mark;
  mark();
  if (window.wellbeingWatching) return;
  window.wellbeingWatching = true;
  let held = null;
  let card = "";
  const cardOf = (node) => node.closest('[class*="st-key-card-"]');
  const nameOf = (box) => [...box.classList].find((name) => name.startsWith("st-key-card-")) || "";
  document.addEventListener("focusin", (event) => {
    held = event.target;
    const box = cardOf(event.target);
    card = box ? nameOf(box) : "";
  });
  // Only focus that was lost because its element went away is put back; none is ever taken.
  const restore = () => {
    if (!held || held.isConnected || document.activeElement !== document.body) return;
    if (!card) { held = null; return; }
    const box = document.querySelector("." + CSS.escape(card));
    const next = box ? box.querySelector("button, textarea") : document.querySelector(".st-key-told");
    held = null;
    if (next) next.focus({ preventScroll: Boolean(box) });
  };
  new MutationObserver(() => { window.wellbeingMark(); restore(); })
    .observe(document.body, { childList: true, subtree: true });
})();
