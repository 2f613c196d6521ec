"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const source = byId("plate-data");
  if (source) plate(JSON.parse(source.textContent));
  pictures();
  sections();

  function plate({ wells, said, layers, shades }) {
    const tiles = [...document.querySelectorAll(".plate .well")];
    const choice = byId("layer");
    let shown = 0;

    function colour() {
      const layer = layers[shown];
      if (!layer) return;
      const map = shades[layer.shades];
      for (const tile of tiles) {
        const value = layer.values[tile.dataset.i];
        const share = (value - layer.low) / (layer.high - layer.low);
        const at = Math.round(Math.min(Math.max(share, 0), 1) * (map.length - 1));
        const name = [wells[tile.dataset.i], said[tile.dataset.i]].filter(Boolean).join(", ");
        const text = `${name}: ${layer.label} ${layer.text[tile.dataset.i]}`;
        tile.firstElementChild.setAttribute("fill", value === null ? "url(#hatch)" : map[at]);
        tile.lastElementChild.textContent = text;
        tile.setAttribute("aria-label", text);
      }
      byId("ramp").style.background = `linear-gradient(90deg,${map.join(",")})`;
      [byId("low").textContent, byId("high").textContent] = layer.ends;
    }

    function describe(tile) {
      const i = tile.dataset.i;
      const card = byId("card");
      card.replaceChildren(element("h3", wells[i]));
      if (said[i]) card.append(element("p", said[i], "quiet"));
      const picture = pictureOf(wells[i]);
      if (picture) {
        const image = element("img");
        image.src = picture.src;
        image.alt = picture.alt;
        card.append(image);
      }
      const list = element("dl");
      layers.forEach((layer, k) => {
        if (k !== shown && / robust z$| % of control$/.test(layer.label)) return;
        const row = element("div", "", k === shown ? "now" : "");
        row.append(element("dt", layer.label), element("dd", layer.text[i]));
        list.append(row);
      });
      card.append(list);
      tiles.forEach((other) => other.classList.toggle("on", other === tile));
    }

    for (const tile of tiles) {
      for (const event of ["pointerenter", "focus"]) {
        tile.addEventListener(event, () => describe(tile));
      }
      tile.addEventListener("click", () => enlarge(wells[tile.dataset.i]));
    }
    if (choice) {
      choice.addEventListener("change", () => {
        shown = Number(choice.value);
        colour();
        const on = tiles.find((tile) => tile.classList.contains("on"));
        if (on) describe(on);
      });
      shown = Number(choice.value) || 0;
    }
    colour();
    if (tiles.length) describe(tiles[0]);
  }

  function element(name, text = "", css = "") {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (css) made.className = css;
    return made;
  }

  function buttonOf(well) {
    return [...document.querySelectorAll(".sheet button")].find((b) => b.dataset.well === well);
  }

  function pictureOf(well) {
    const button = buttonOf(well);
    return button ? button.firstElementChild : null;
  }

  function enlarge(well) {
    const button = buttonOf(well);
    const large = byId("large");
    if (!button || !large) return;
    const image = large.querySelector("img");
    image.src = button.firstElementChild.src;
    image.alt = button.firstElementChild.alt;
    large.querySelector("p").textContent = [well, button.dataset.said].filter(Boolean).join(", ");
    large.showModal();
  }

  function pictures() {
    for (const button of document.querySelectorAll(".sheet button")) {
      button.addEventListener("click", () => enlarge(button.dataset.well));
    }
    const large = byId("large");
    if (large) large.addEventListener("click", (e) => e.target === large && large.close());
  }

  function sections() {
    const links = new Map(
      [...document.querySelectorAll("nav a:not(.brand)")].map((a) => [a.hash.slice(1), a]),
    );
    const seen = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue;
          links.forEach((a, id) => a.classList.toggle("here", id === entry.target.id));
        }
      },
      { rootMargin: "-10% 0px -70% 0px" },
    );
    document.querySelectorAll("main section").forEach((s) => seen.observe(s));
  }
})();
