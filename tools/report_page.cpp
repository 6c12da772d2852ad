#include "tools/report_page.h"

namespace deeper::tools {

const std::string_view kReportStyle = R"css(
body{font:14px/1.45 system-ui,sans-serif;color:#222;margin:24px auto;max-width:1500px;padding:0 20px}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}p{margin:4px 0 10px;max-width:90ch}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{font-size:12.5px;padding:2px 6px;text-align:right;border-bottom:1px solid #e4e4e4;white-space:nowrap}
th{cursor:pointer;background:#f4f4f4;user-select:none}th:after{content:" \2195";color:#bbb}
th.up:after{content:" \2191";color:#222}th.down:after{content:" \2193";color:#222}
td.name,th.name{text-align:left}td.same{color:#999}td.noise{color:#888}
td.better{color:#17703a;font-weight:600}td.worse{color:#b3261e;font-weight:600}#worth td{padding:3px 14px}#worth th{padding:3px 14px}
tr.same td{color:#999}tr.noise td.gain{color:#888}
tr.better td.gain{color:#17703a;font-weight:600}tr.worse td.gain{color:#b3261e;font-weight:600}
.scroll{overflow-x:auto}p:has(button){max-width:none}button{font:inherit;padding:2px 10px;margin:2px;border:1px solid #bbb;border-radius:4px;background:#fff;cursor:pointer}
button.chosen{background:#1d4f91;color:#fff;border-color:#1d4f91}
.pair{display:flex;gap:12px}.pane{flex:1;min-width:0;border:1px solid #ccc;border-radius:4px}
.pane h3{font-size:13px;margin:0;padding:4px 8px;background:#f4f4f4}
.view{height:640px;overflow:hidden;position:relative;cursor:grab}.view svg{position:absolute;transform-origin:0 0}
.removed polygon,.removed path{fill:#f7c6c2;stroke:#b3261e;stroke-width:3}
.added polygon,.added path{fill:#c4ecd0;stroke:#17703a;stroke-width:3}
.changed polygon,.changed path{fill:#fbe3a6;stroke:#a06a00;stroke-width:3}
.key span{display:inline-block;padding:0 8px;margin-right:8px;border:1px solid}
svg.waterfall text{font:12px system-ui,sans-serif}.tick{stroke:#ddd}
.remark{paint-order:stroke;stroke:#fff;stroke-width:4px}
)css";

const std::string_view kReportScript = R"js(
const drawn = document.getElementById('changes');
const changes = drawn ? JSON.parse(drawn.textContent) : [];
const panes = !drawn ? [] :
  ['before', 'after'].map(id => ({view: document.getElementById(id), x: 0, y: 0, scale: 1}));

for (const th of document.querySelectorAll('th')) th.addEventListener('click', () => {
  const table = th.closest('table'), column = th.cellIndex, down = !th.classList.contains('down');
  for (const other of table.querySelectorAll('th')) other.classList.remove('up', 'down');
  th.classList.add(down ? 'down' : 'up');
  const key = row => {
    const value = row.cells[column].dataset.value;
    return value === undefined ? row.cells[column].textContent : Number(value);
  };
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => {
    const x = key(a), y = key(b);
    return (typeof x === 'number' ? x - y : x.localeCompare(y)) * (down ? -1 : 1);
  });
  table.tBodies[0].append(...rows);
});

function place(pane) {
  const svg = pane.view.querySelector('svg');
  if (svg) svg.style.transform = `translate(${pane.x}px,${pane.y}px) scale(${pane.scale})`;
}
function zoom(factor, px, py) {
  for (const pane of panes) {
    pane.x = px - (px - pane.x) * factor;
    pane.y = py - (py - pane.y) * factor;
    pane.scale *= factor;
    place(pane);
  }
}
function fit() {
  for (const pane of panes) {
    const svg = pane.view.querySelector('svg');
    if (!svg) continue;
    const box = svg.viewBox.baseVal;
    svg.setAttribute('width', box.width);
    svg.setAttribute('height', box.height);
    pane.scale = Math.min(pane.view.clientWidth / box.width, pane.view.clientHeight / box.height);
    pane.x = (pane.view.clientWidth - box.width * pane.scale) / 2;
    pane.y = 0;
    place(pane);
  }
}
function nodes(pane, names) {
  const wanted = new Set(names), found = [];
  for (const group of pane.view.querySelectorAll('g.node')) {
    if (wanted.has(group.querySelector('title').textContent)) found.push(group);
  }
  return found;
}
// Where the changes of a pane are, in the drawing's own units: those that are near each other count as one place.
function places(pane) {
  const view = pane.view.getBoundingClientRect(), found = [];
  for (const group of pane.view.querySelectorAll('.removed,.added,.changed')) {
    const box = group.getBoundingClientRect();
    const inDrawing = (at, from, offset) => (at - from - offset) / pane.scale;
    found.push({left: inDrawing(box.left, view.left, pane.x), right: inDrawing(box.right, view.left, pane.x),
                top: inDrawing(box.top, view.top, pane.y)});
  }
  found.sort((a, b) => a.top - b.top);
  const merged = [];
  for (const spot of found) {
    const last = merged[merged.length - 1];
    if (last && spot.top - last.top < 500) {
      last.left = Math.min(last.left, spot.left);
      last.right = Math.max(last.right, spot.right);
    } else {
      merged.push({...spot});
    }
  }
  return merged;
}
// The next place of change near the top of both panes, large enough to read.
let change = 0;
function goTo() {
  for (const pane of panes) {
    const spots = places(pane);
    if (!spots.length) continue;
    const spot = spots[change % spots.length];
    pane.scale = Math.min(1, Math.max(0.6, 0.95 * pane.view.clientWidth / (spot.right - spot.left)));
    pane.x = pane.view.clientWidth / 2 - (spot.left + spot.right) / 2 * pane.scale;
    pane.y = 90 - spot.top * pane.scale;
    place(pane);
  }
  ++change;
}
function show(step) {
  const chosen = changes[step];
  if (!chosen) return;
  for (const button of document.querySelectorAll('#steps button')) {
    button.classList.toggle('chosen', Number(button.dataset.step) === step);
  }
  const graphs = [chosen.before, chosen.after];
  panes.forEach((pane, i) => {
    pane.view.replaceChildren(document.getElementById('graph' + graphs[i]).content.cloneNode(true));
  });
  for (const name of ['removed', 'changed']) nodes(panes[0], chosen[name]).forEach(g => g.classList.add(name));
  for (const name of ['added', 'changed']) nodes(panes[1], chosen[name]).forEach(g => g.classList.add(name));
  const nodesText = count => count + (count === 1 ? ' node' : ' nodes');
  document.getElementById('summary').textContent = chosen.pass + ': ' + nodesText(chosen.removed.length) +
    ' removed, ' + chosen.added.length + ' added, ' + chosen.changed.length + ' changed';
  fit();
  change = 0;
  goTo();
}
for (const button of document.querySelectorAll('#steps button')) {
  button.addEventListener('click', () => show(Number(button.dataset.step)));
}
const middle = factor => zoom(factor, panes[0].view.clientWidth / 2, panes[0].view.clientHeight / 2);
const actions = {larger: () => middle(1.4), smaller: () => middle(1 / 1.4), fit: fit, goto: goTo};
for (const [id, action] of Object.entries(actions)) document.getElementById(id)?.addEventListener('click', action);
for (const pane of panes) {
  pane.view.addEventListener('wheel', event => {
    event.preventDefault();
    const box = pane.view.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }, {passive: false});
  pane.view.addEventListener('pointermove', event => {
    if (event.buttons !== 1) return;
    for (const both of panes) { both.x += event.movementX; both.y += event.movementY; place(both); }
  });
}
show(0);
)js";

}  // namespace deeper::tools
