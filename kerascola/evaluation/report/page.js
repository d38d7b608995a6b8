// The map: names the clip that is pointed at, tapped or stepped to, and shows chosen classes alone.
"use strict";
const data = document.getElementById("points");
if (data) tell(JSON.parse(data.textContent), document.querySelector(".map"));

function tell(points, map) {
  const picture = map.querySelector("svg"), groups = [...picture.children], chosen = new Set();
  const box = picture.viewBox.baseVal, reach = 16;
  const order = points.x.map((_, i) => i).sort((a, b) => points.x[a] - points.x[b]);
  const ring = made("i", "here"), tip = made("p", "tip");
  let at = -1;
  tip.setAttribute("role", "status");
  map.append(ring, tip);
  map.tabIndex = 0;
  map.setAttribute("role", "group");
  map.setAttribute("aria-label", "map: the left and right arrow keys step from clip to clip");

  function made(name, className, text = "") {
    const node = document.createElement(name);
    node.className = className;
    node.textContent = text;
    return node;
  }
  const scales = () => [picture.clientWidth / box.width, picture.clientHeight / box.height];
  const seen = (i) => !chosen.size || chosen.has(points.kind[i]);

  function show(i) {
    at = i;
    ring.hidden = tip.hidden = i < 0;
    if (i < 0) return;
    const [wide, high] = scales(), x = points.x[i] * wide, y = points.y[i] * high;
    const said = points.said[i] === null ? "" : "taken for " + points.said[i];
    tip.replaceChildren(made("b", "", points.kinds[points.kind[i]]), made("em", "", said), made("span", "", points.clip[i]));
    ring.style.transform = `translate(${x}px, ${y}px)`;
    const left = Math.max(0, Math.min(x - tip.offsetWidth / 2, map.clientWidth - tip.offsetWidth));
    const top = y > tip.offsetHeight + 14 ? y - tip.offsetHeight - 12 : y + 12;
    tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  function point(event) {
    const frame = picture.getBoundingClientRect(), [wide, high] = scales();
    const x = event.clientX - frame.left, y = event.clientY - frame.top;
    let best = -1, least = reach ** 2;
    for (let i = 0; i < points.x.length; i++) {
      const far = (points.x[i] * wide - x) ** 2 + (points.y[i] * high - y) ** 2;
      if (far < least && seen(i)) [best, least] = [i, far];
    }
    if (best !== at) show(best);
  }
  picture.addEventListener("pointermove", point);
  picture.addEventListener("pointerdown", point);
  map.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && show(-1));
  map.addEventListener("blur", () => show(-1));
  map.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], there = order.filter(seen);
    if (event.key === "Escape") show(-1);
    if (!step || !there.length) return;
    event.preventDefault();
    const place = there.indexOf(at);
    show(there[place < 0 ? (step > 0 ? 0 : there.length - 1) : (place + step + there.length) % there.length]);
  });

  document.querySelectorAll(".legend li").forEach((entry, kind) => {
    const button = made("button", "");
    button.type = "button";
    button.append(...entry.childNodes);
    button.setAttribute("aria-pressed", "false");
    entry.append(button);
    button.addEventListener("click", () => {
      if (!chosen.delete(kind)) chosen.add(kind);
      button.setAttribute("aria-pressed", chosen.has(kind));
      groups.forEach((group, other) => group.classList.toggle("faint", chosen.size > 0 && !chosen.has(other)));
      show(-1);
    });
  });
  show(-1);
}
