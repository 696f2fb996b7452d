"use strict";
// Interactive parts of the page: Manhattan plots (Bokeh), sortable and filterable tables (DataTables), and links to regional plots.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const print = matchMedia("print");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const stored = (id) => JSON.parse(document.getElementById(id).textContent);
  const numbers = (text, Kind) => new Kind(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer);
  const position = (chrom, pos) => `${chrom}:${pos.toLocaleString("en")}`;

  function reveal(id) {
    const target = document.getElementById(id);
    if (!target) return false;
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    target.scrollIntoView({ behavior: still.matches ? "auto" : "smooth", block: "start" });
    (target.querySelector(":scope > summary") || target).focus({ preventScroll: true });
    return true;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || !document.getElementById(link.hash.slice(1))?.matches("details")) return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    reveal(link.hash.slice(1));
  });
  if (location.hash) reveal(location.hash.slice(1));

  // Only elements that scroll horizontally are in the tab order.
  const scrollers = () => {
    for (const one of document.querySelectorAll(".scroll, .pan")) {
      if (one.scrollWidth > one.clientWidth + 1) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", scrollers);
  document.addEventListener("toggle", scrollers, true);

  // All details are open in print; afterwards the previous state is restored.
  const opened = new Set();
  const grids = [];
  const onPaper = (now) => {
    for (const one of document.querySelectorAll("details")) {
      if (now && !one.open) { opened.add(one); one.open = true; }
      if (!now && opened.has(one)) one.open = false;
    }
    if (!now) opened.clear();
    for (const [grid, length] of grids) grid.page.len(now ? -1 : length).draw(false);
  };
  print.addEventListener("change", (event) => onPaper(event.matches));

  function tables($) {
    for (const element of document.querySelectorAll(".loci table")) {
      const length = 25;
      const many = element.tBodies[0].rows.length > length;
      const name = element.caption.textContent;
      const grid = $(element).DataTable({
        paging: many, pageLength: length, info: many, lengthChange: false, order: [], autoWidth: false,
        layout: { topStart: "search", topEnd: null, bottomStart: many ? "info" : null, bottomEnd: many ? "paging" : null },
        language: { search: "Filter ", zeroRecords: "no locus matches the filter" },
      });
      grid.table().container().querySelector("input").setAttribute("aria-label", `Filter: ${name}`);
      if (many) grids.push([grid, length]);
    }
    scrollers();
    root.dataset.tables = "ready";
  }

  class Manhattan {
    constructor(place) {
      this.place = place;
      this.name = place.dataset.manhattan;
      this.data = stored(`points-${this.name}`);
      this.select = place.querySelector('[data-role="test"]');
      this.status = place.querySelector('[data-role="status"]');
    }

    async start() {
      await Bokeh.embed.embed_item(stored(`figure-${this.name}`), `plot-${this.name}`);
      this.plot = Bokeh.documents.map((one) => one.get_model_by_name(`plot-${this.name}`)).find(Boolean);
      this.glyphs = {};
      for (const one of this.plot.renderers) {
        if (one.name?.startsWith("glyph-")) this.glyphs[one.name.slice(6)] = one;
        if (one.name === "threshold") this.threshold = one;
      }
      this.threshold ??= this.plot.center.find((one) => one.name === "threshold");
      this.full = [this.plot.x_range.start, this.plot.x_range.end];
      const selected = this.source("hits").selected;
      selected.properties.indices.change.connect(() => {
        const [first] = selected.indices;
        if (first === undefined) return;
        selected.indices = [];
        this.picked(first);
      });
      this.select.addEventListener("change", () => this.show());
      this.place.addEventListener("click", (event) => this.zoom(event.target.dataset.zoom));
      for (const one of ["start", "end"]) this.plot.x_range.properties[one].change.connect(() => this.ticks());
      this.plot.properties.inner_width.change.connect(() => this.ticks());
      dark.addEventListener("change", () => this.show());
      print.addEventListener("change", () => this.paint());
      this.show();
      this.place.dataset.state = "ready";
    }

    source(kind) { return this.glyphs[kind].data_source; }

    show() {
      const test = this.data.tests[this.select.value];
      const { chromosomes, first, left, planted } = this.data;
      const shades = [colour("--dot-a"), colour("--dot-b")];
      const x = (chrom, pos) => pos - first[chrom] + left[chrom];
      const chrom = Array.from(numbers(test.chrom, Uint8Array));
      const pos = numbers(test.pos, Int32Array);
      const y = numbers(test.y, Float32Array);
      const beta = test.beta && numbers(test.beta, Float32Array);
      this.source("rest").data = {
        x: chrom.map((one, k) => x(one, pos[k])), y: Array.from(y),
        place: chrom.map((one, k) => position(chromosomes[one], pos[k])),
        value: Array.from(y, (one) => one.toFixed(2)),
        feature: chrom.map(() => test.feature),
        beta: chrom.map((_, k) => (beta && !Number.isNaN(beta[k]) ? beta[k].toPrecision(3) : "")),
        colour: chrom.map((one) => shades[one % 2]),
      };
      const hits = test.hits;
      this.source("hits").data = {
        ...hits,
        x: hits.chrom.map((one, k) => x(one, hits.pos[k])),
        place: hits.chrom.map((one, k) => position(chromosomes[one], hits.pos[k])),
        locus: hits.locus.map((one) => one || "none"),
        colour: hits.chrom.map(() => colour("--hit")),
      };
      const low = -0.045 * test.limit;
      this.source("planted").data = {
        x: planted.map((one) => one[0]), y: planted.map(() => low / 2), latent: planted.map((one) => one[1]),
      };
      this.plot.y_range.setv({ start: planted.length ? low : 0, end: test.limit });
      this.heights(test);
      this.paint();
      this.ticks();
      this.place.querySelector(".plot").setAttribute("aria-label",
        `Manhattan plot of ${this.name}, ${this.select.selectedOptions[0].text}: ${hits.id.length} variants reach the threshold`);
      this.status.textContent = "";
    }

    heights(test) {
      const axis = this.plot.left[0];
      axis.axis_label = `−log₁₀ p${test.note}`;
      this.basic ??= axis.ticker;
      if (test.ticks) {
        const Fixed = this.plot.below[0].ticker.constructor;
        axis.ticker = new Fixed({ ticks: test.ticks.map((one) => one[0]), minor_ticks: [] });
        axis.major_label_overrides = new Map(test.ticks);
      } else {
        axis.ticker = this.basic;
        axis.major_label_overrides = new Map();
      }
    }

    paint() {
      const { plot } = this;
      const [ink, line] = [colour("--ink"), colour("--line")];
      for (const axis of [...plot.left, ...plot.below]) {
        axis.setv({ axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: line, major_tick_line_color: axis === plot.left[0] ? line : null });
      }
      for (const one of plot.center) if (one.type === "Grid") one.grid_line_color = colour("--grid");
      this.threshold.line_color = colour("--hit");
      this.glyphs.hits.glyph.fill_color = colour("--hit");
      this.glyphs.planted.glyph.fill_color = colour("--planted");
    }

    // Chromosome names that fit; within one chromosome positions in megabases.
    ticks() {
      const { chromosomes, first, left, extent } = this.data;
      const { start, end } = this.plot.x_range;
      const width = (this.plot.inner_width || 600) / (end - start);
      const axis = this.plot.below[0];
      const labels = new Map();
      const seen = chromosomes.map((_, k) => k).filter((k) => left[k] + extent[k] > start && left[k] < end);
      if (seen.length === 1) {
        const [k] = seen;
        const from = Math.max(start, left[k]) - left[k] + first[k];
        const to = Math.min(end, left[k] + extent[k]) - left[k] + first[k];
        const rough = (to - from) / Math.max(2, Math.min(8, (this.plot.inner_width || 600) / 110));
        const power = 10 ** Math.floor(Math.log10(rough));
        const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
        for (let at = Math.ceil(from / step) * step; at <= to; at += step) labels.set(at - first[k] + left[k], String(+(at / 1e6).toFixed(4)));
        axis.axis_label = `position on chromosome ${chromosomes[k]} (Mb)`;
      } else {
        let last = -Infinity;
        for (const k of seen) {
          const from = Math.max(start, left[k]);
          const middle = (from + Math.min(end, left[k] + extent[k])) / 2;
          const half = 4 * chromosomes[k].length + 3;
          if ((middle - start) * width - half < last) continue;
          labels.set(middle, chromosomes[k]);
          last = (middle - start) * width + half;
        }
        axis.axis_label = "chromosome";
      }
      axis.major_label_overrides = labels;
      axis.ticker.ticks = [...labels.keys()];
    }

    zoom(how) {
      if (!how) return;
      const { start, end } = this.plot.x_range;
      const [first, last] = this.full;
      const [middle, half] = [(start + end) / 2, (end - start) / 2];
      const to = { in: [0, 0.5], out: [0, 2], left: [-half, 1], right: [half, 1], all: [0, Infinity] }[how];
      const reach = Math.min(half * to[1], (last - first) / 2);
      const centre = Math.min(Math.max(middle + to[0], first + reach), last - reach);
      this.plot.x_range.setv({ start: centre - reach, end: centre + reach });
    }

    picked(index) {
      const hits = this.source("hits").data;
      const locus = hits.locus[index];
      const outside = locus !== "none" && !hits.drawn[index];
      const shown = !outside && locus !== "none" && reveal(`${this.name}-locus-${locus}`);
      this.status.textContent = `${hits.id[index]} at ${hits.place[index]}: ` +
        (shown ? `locus ${locus}; its regional plot is open below.` :
          outside ? `locus ${locus}, outside its regional plot.` : "no regional plot on this page.");
    }
  }

  const plots = {};
  // Plots are created when they come near the window, so that pages with many models open fast.
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      plots[target.dataset.manhattan] = new Manhattan(target);
      plots[target.dataset.manhattan].start();
    }
  }, { rootMargin: "1200px" });
  for (const one of document.querySelectorAll("[data-manhattan]")) watcher.observe(one);
  window.contigwas = { tables, plots };
})();
