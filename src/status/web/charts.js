'use strict';
// Charts as SVG: axes, bars and lines of many values. What they show is said in words too (aria-label), and under the
// pointer or the arrow keys. Text goes in as text, never as markup.
const charts = (() => {
  const NS = 'http://www.w3.org/2000/svg';
  // Units across a chart: pixels of the place, so that letters keep their size on a phone; no more on a wide screen.
  let width = 1000;
  const fit = pixels => { width = Math.min(1000, Math.max(280, Math.round(pixels) || 1000)); };

  function element(name, attributes, parent, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  function frame(place, height, label) {
    place.replaceChildren();
    return element('svg', {class: 'chart', viewBox: `0 0 ${width} ${height}`, role: 'img', tabindex: 0, 'aria-label': label},
                   place);
  }

  function sentence(place) {
    const said = document.createElement('p');
    said.className = 'said';
    said.setAttribute('aria-live', 'polite');
    place.append(said);
    return said;
  }

  // Round values of [least, most], about `count` of them.
  function ticks(least, most, count) {
    const span = most - least;
    if (!(span > 0)) return [least];
    const raw = span / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map(f => f * power).find(s => s >= raw * 0.999);
    const values = [];
    for (let k = Math.ceil(least / step - 1e-9); k * step <= most + step * 1e-9; ++k) values.push(k * step);
    return values;
  }

  function number(value) {
    const size = Math.abs(value);
    if (size >= 1000) return Math.round(value).toLocaleString('en');
    return String(Number(value.toPrecision(size >= 100 ? 4 : 3)));
  }

  // The value axis on the left; returns y of a value.
  function valueAxis(svg, box, least, most) {
    const y = value => box.bottom - (value - least) / (most - least) * (box.bottom - box.top);
    for (const value of ticks(least, most, 4)) {
      element('line', {class: 'grid', x1: box.left, x2: box.right, y1: y(value), y2: y(value)}, svg);
      element('text', {class: 'end', x: box.left - 6, y: y(value) + 4}, svg, number(value));
    }
    return y;
  }

  // What stands along the axis below, under its ticks.
  function axisName(svg, box, text) {
    element('text', {class: 'middle', x: (box.left + box.right) / 2, y: box.bottom + 34}, svg, text);
  }

  // Frames of the film; returns x of one.
  function frameAxis(svg, box, frames) {
    const x = at => box.left + at / frames * (box.right - box.left);
    for (const at of ticks(0, frames, Math.max(3, Math.round(width / 125)))) {
      if (at !== Math.floor(at)) continue;
      element('line', {class: 'grid', x1: x(at), x2: x(at), y1: box.bottom, y2: box.bottom + 4}, svg);
      element('text', {class: at > 0.97 * frames ? 'end' : 'middle', x: x(at), y: box.bottom + 18}, svg, number(at));
    }
    axisName(svg, box, 'frame');
    return x;
  }

  // A place that follows the pointer and the arrow keys; `tell(part)` with 0..1 of the width gives {x, text}.
  function reader(svg, box, said, tell) {
    const cursor = element('line', {class: 'cursor', y1: box.top, y2: box.bottom, visibility: 'hidden'}, svg);
    let part = 0.5;
    const show = () => {
      const found = tell(Math.min(1, Math.max(0, part)));
      if (!found) return;
      cursor.setAttribute('x1', found.x);
      cursor.setAttribute('x2', found.x);
      cursor.setAttribute('visibility', 'visible');
      said.textContent = found.text;
    };
    svg.addEventListener('pointermove', event => {
      const bounds = svg.getBoundingClientRect();
      part = ((event.clientX - bounds.left) / bounds.width * width - box.left) / (box.right - box.left);
      show();
    });
    svg.addEventListener('keydown', event => {
      const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (!step) return;
      event.preventDefault();
      part = Math.min(1, Math.max(0, part + step / (event.shiftKey ? 20 : 200)));
      show();
    });
    svg.addEventListener('pointerleave', () => cursor.setAttribute('visibility', 'hidden'));
  }

  // One value a frame (NaN: none), as the least and the most of each pixel: a line cannot hide a single bad frame.
  // options: label, unit, low (a threshold), marks (frames), name(frame) -> text, zero (the axis begins there)
  function values(place, data, options) {
    const box = {left: 56, right: width - 10, top: 12, bottom: 170};
    const svg = frame(place, 210, options.label);
    const said = sentence(place);
    let least = Infinity, most = -Infinity;
    for (const value of data) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
    // Far from all values the threshold would press them flat: then it is told in words.
    const near = Math.max(most - least, 1);
    const drawn = options.low !== undefined && options.low > least - near && options.low < most + near;
    if (drawn) {
      least = Math.min(least, options.low);
      most = Math.max(most, options.low);
    }
    if (options.zero) least = Math.min(0, least);
    const room = (most - least || Math.abs(most) || 1) * 0.06;
    least -= options.zero ? 0 : room;
    most += room;
    const y = valueAxis(svg, box, least, most);
    const frames = data.length;
    const x = frameAxis(svg, box, frames);
    const columns = box.right - box.left;
    const edge = {above: [], below: []};
    let spread = '', line = '';
    const finish = () => {
      if (edge.above.length > 0) spread += `M${edge.above.join('L')}L${edge.below.reverse().join('L')}Z`;
      edge.above = [];
      edge.below = [];
    };
    // Where one frame of so many is measured the line goes on between them.
    const patience = Math.max(2, Math.ceil(64 * columns / frames));
    let drawing = false, missing = 0;
    for (let c = 0; c < Math.min(columns, frames); ++c) {
      const of = Math.min(columns, frames);
      const from = Math.floor(c * frames / of), to = Math.max(from + 1, Math.floor((c + 1) * frames / of));
      let low = Infinity, high = -Infinity, sum = 0, count = 0;
      for (let i = from; i < to; ++i) {
        if (!(data[i] === data[i])) continue;
        low = Math.min(low, data[i]);
        high = Math.max(high, data[i]);
        sum += data[i];
        ++count;
      }
      if (count === 0) {
        if (++missing <= patience) continue;
        finish();
        drawing = false;
        continue;
      }
      missing = 0;
      const at = x((from + to) / 2).toFixed(1);
      edge.above.push(`${at} ${(y(high) - 0.5).toFixed(1)}`);
      edge.below.push(`${at} ${(y(low) + 0.5).toFixed(1)}`);
      line += `${drawing ? 'L' : 'M'}${at} ${y(sum / count).toFixed(1)}${drawing ? '' : 'h0.1'}`;
      drawing = true;
    }
    finish();
    element('path', {class: 'spread', d: spread}, svg);
    element('path', {class: 'line', d: line}, svg);
    if (options.low !== undefined && !drawn) {
      const note = document.createElement('p');
      note.className = 'key';
      note.textContent = `Under ${options.low} ${options.unit} a frame is worth a look; ` +
        `that is ${options.low < least ? 'below' : 'above'} all that is drawn here.`;
      place.append(note);
    } else if (drawn) {
      element('line', {class: 'low', x1: box.left, x2: box.right, y1: y(options.low), y2: y(options.low)}, svg);
      element('text', {class: 'end', x: box.right, y: y(options.low) - 4}, svg, `${options.low} ${options.unit}: look`);
    }
    for (const at of options.marks || []) {
      if (!(data[at] === data[at])) continue;
      const cx = x(at + 0.5), cy = y(data[at]);
      element('path', {class: 'mark', d: `M${cx - 5} ${cy + 9}L${cx} ${cy + 2}L${cx + 5} ${cy + 9}Z`}, svg);
    }
    reader(svg, box, said, part => {
      let at = Math.min(frames - 1, Math.floor(part * frames));
      // Of those near, one that is measured.
      for (let away = 0; away <= 64 && !(data[at] === data[at]); ++away) {
        if (data[at - away] === data[at - away]) at -= away;
        else if (data[at + away] === data[at + away]) at += away;
      }
      const known = data[at] === data[at];
      return {x: x(at + 0.5), text: `${options.name(at)}: ${known ? number(data[at]) + ' ' + options.unit : 'not measured'}`};
    });
  }

  return {fit, width: () => width, element, frame, sentence, ticks, number, valueAxis, axisName, frameAxis, reader, values};
})();
