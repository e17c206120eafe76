(() => {
  "use strict";
  const every = Number(document.documentElement.dataset.refresh) * 1000;
  const form = document.querySelector("form[role=search]");
  let paused = false, timer = 0, running = null;

  // What the reader has opened, and where the focus is, outlives what is swapped.
  const opened = () => new Map([...document.querySelectorAll("#live details")].map(d => [d.dataset.key, d.open]));
  const focused = () => {
    const e = document.activeElement;
    if (!e || !e.closest("#live")) return () => null;
    const key = e.closest("details")?.dataset.key, address = e.getAttribute("href"), id = e.id;
    const nth = [...document.querySelectorAll("#live " + e.localName)].indexOf(e);
    return live => {
      if (id) return document.getElementById(id);
      if (e.localName === "summary") return [...live.querySelectorAll("details")].find(d => d.dataset.key === key)?.firstElementChild;
      if (address) return [...live.querySelectorAll("a")].find(a => a.getAttribute("href") === address);
      return live.querySelectorAll(e.localName)[nth];
    };
  };

  function swap(next) {
    const live = document.getElementById("live"), details = opened(), find = focused();
    const scrolled = [...live.querySelectorAll(".scroll")].map(e => e.scrollLeft);
    live.replaceWith(next.getElementById("live"));
    const now = document.getElementById("live");
    for (const d of now.querySelectorAll("details")) if (details.has(d.dataset.key)) d.open = details.get(d.dataset.key);
    now.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    document.title = next.title;
    const icon = next.querySelector("link[rel=icon]");
    if (icon) document.querySelector("link[rel=icon]").href = icon.href;
    button(); // which has to be seen before it can take the focus
    find(now)?.focus({preventScroll: true});
  }

  // The address has no user and password, which fetch would refuse.
  async function load(byItself) {
    running?.abort();
    const mine = running = new AbortController();
    try {
      const address = location.origin + location.pathname + location.search;
      const answer = await fetch(address, {signal: mine.signal, headers: {Accept: "text/html"}});
      const kind = answer.headers.get("Content-Type") || "";
      if (!kind.startsWith("text/html") || answer.status !== 200 && answer.status !== 404) throw new Error(answer.status);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!next.getElementById("live")) throw new Error("no page");
      if (mine === running && !(byItself && busy())) swap(next);
    } catch (e) {
      if (e.name !== "AbortError") say("pulse", "No answer since then.");
    }
  }

  // What is said is read to those who cannot see it, so it is not said twice.
  function say(where, text) {
    const place = document.getElementById(where);
    if (place && place.textContent !== text) place.textContent = text;
  }

  // A key or a button that is down is on an element that has to be there when it goes up.
  let held = false;
  for (const name of ["pointerdown", "keydown"]) addEventListener(name, () => { held = true; }, true);
  for (const name of ["pointerup", "pointercancel", "keyup", "blur"]) addEventListener(name, () => { held = false; });

  const busy = () => paused || held || document.hidden || !getSelection().isCollapsed;
  async function tick() {
    if (!busy()) await load(true);
    clearTimeout(timer);
    timer = setTimeout(tick, every);
  }

  function button() {
    const pause = document.getElementById("pause");
    if (!pause || !every) return;
    pause.hidden = false;
    pause.setAttribute("aria-pressed", paused);
    pause.onclick = () => { paused = !paused; pause.setAttribute("aria-pressed", paused); };
  }

  let typed = 0;
  form?.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(async () => {
      const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
      history.replaceState(null, "", "?" + fields);
      await load();
      say("found", document.getElementById("caption")?.textContent || "");
    }, 150);
  });

  button();
  if (every) timer = setTimeout(tick, every);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && every) tick();
  });
})();
