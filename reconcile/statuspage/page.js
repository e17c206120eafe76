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
    find(now)?.focus({preventScroll: true});
    document.title = next.title;
    const icon = next.querySelector("link[rel=icon]");
    if (icon) document.querySelector("link[rel=icon]").href = icon.href;
    button();
  }

  async function load(address) {
    running?.abort();
    const mine = running = new AbortController();
    try {
      const answer = await fetch(address, {signal: mine.signal, headers: {Accept: "text/html"}});
      const kind = answer.headers.get("Content-Type") || "";
      if (!kind.startsWith("text/html") || answer.status !== 200 && answer.status !== 404) throw new Error(answer.status);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!next.getElementById("live")) throw new Error("no page");
      if (mine === running) swap(next);
    } catch (e) {
      if (e.name !== "AbortError") say("No answer since then.");
    }
  }

  function say(text) {
    const pulse = document.getElementById("pulse");
    if (pulse.textContent !== text) pulse.textContent = text;
  }

  const busy = () => paused || document.hidden || !getSelection().isCollapsed;
  async function tick() {
    if (!busy()) await load(location.href);
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
    typed = setTimeout(() => {
      const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
      history.replaceState(null, "", "?" + fields);
      load(location.href);
    }, 150);
  });

  button();
  if (every) timer = setTimeout(tick, every);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && every) { clearTimeout(timer); tick(); }
  });
})();
