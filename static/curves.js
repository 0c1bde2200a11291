// The numbers of a chart where the pointer is: what each line is worth at the step nearest to it.
"use strict";

(() => {
  const drawing = (event) => (event.target instanceof Element ? event.target.closest("svg[data-step]") : null);

  const rule = (svg) => {
    const found = svg.querySelector(".chart__rule");
    if (found) return found;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "chart__rule");
    line.setAttribute("y1", "10");
    line.setAttribute("y2", "176");
    return svg.appendChild(line);
  };

  const nearest = (points, x) => points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));

  const show = (svg, x) => {
    const lines = [...svg.querySelectorAll("[data-hover]")].map((line) => [line.dataset.line, JSON.parse(line.dataset.hover)]);
    const near = nearest(lines.flatMap(([, points]) => points), x);
    const told = lines.map(([name, points]) => [name, nearest(points, near[0])]).filter(([, point]) => Math.abs(point[0] - near[0]) < 8);
    const mark = rule(svg);
    mark.setAttribute("x1", near[0]);
    mark.setAttribute("x2", near[0]);
    const words = told.map(([name, point]) => `${name} ${point[3]}`).join(" · ");
    svg.closest("figure").querySelector(".chart__value").textContent = `${svg.dataset.step} ${near[2]}: ${words}`;
  };

  const hide = (svg) => {
    svg.querySelector(".chart__rule")?.remove();
    svg.closest("figure").querySelector(".chart__value").textContent = "";
  };

  for (const name of ["pointermove", "pointerdown"]) {
    document.addEventListener(name, (event) => {
      const svg = drawing(event);
      if (!svg || !svg.querySelector("[data-hover]")) return;
      const box = svg.getBoundingClientRect();
      show(svg, ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width);
    });
  }
  document.addEventListener("pointerout", (event) => {
    const svg = drawing(event);
    if (svg && !(event.relatedTarget instanceof Element && svg.contains(event.relatedTarget))) hide(svg);
  });
})();
