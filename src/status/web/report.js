'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const {element, number} = charts;
  const isNarrow = () => charts.width() < 600;

  // --- Time ----------------------------------------------------------------------------------------------------------

  const pieces = rows => rows.map(([segment, begin, end, rank, host, attempt, begun, took, start]) =>
    ({segment, begin, end, rank, host, attempt, begun, end_s: begun + took, took, start}));
  const segments = pieces(data.segments), chunks = pieces(data.chunks);
  const spans = [...data.starts.map(s => [s.begun, s.end]), ...[...segments, ...chunks].map(p => [p.begun, p.end_s])];

  // Time at work in order, as [from, to]; what lies between is told as a gap, and takes little room.
  function atWork() {
    const merged = [];
    const all = spans.reduce((sum, [from, to]) => sum + to - from, 0);
    const short = Math.max(2, 0.02 * all / Math.max(1, data.starts.length));
    for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
      const last = merged[merged.length - 1];
      if (last && from <= last[1] + short) last[1] = Math.max(last[1], to);
      else merged.push([from, Math.max(to, from + 0.001)]);
    }
    return merged;
  }
  const work = atWork();

  function duration(s) {
    if (s < 60) return `${number(s)} s`;
    const two = (large, unit, small, part) => small > 0 ? `${large} ${unit} ${small} ${part}` : `${large} ${unit}`;
    const seconds = Math.round(s), minutes = Math.round(s / 60);
    if (seconds < 3600) return two(Math.floor(seconds / 60), 'min', seconds % 60, 's');
    return two(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  }
  const clock = s => new Date(s * 1000).toISOString().slice(0, 19).replace('T', ' ');

  // x of an instant, and back.
  function timeScale(box) {
    const gap = work.length > 1 ? Math.min(24, 0.3 * (box.right - box.left) / work.length) : 0;
    const seconds = work.reduce((sum, [from, to]) => sum + to - from, 0);
    const perSecond = (box.right - box.left - gap * (work.length - 1)) / seconds;
    const parts = [];
    let at = box.left;
    for (const [from, to] of work) {
      parts.push({from, to, left: at, right: at += (to - from) * perSecond});
      at += gap;
    }
    const x = s => {
      const part = parts.find(p => s <= p.to) || parts[parts.length - 1];
      return part.left + Math.min(Math.max(0, s - part.from), part.to - part.from) * perSecond;
    };
    const back = at => {
      const part = parts.find(p => at <= p.right) || parts[parts.length - 1];
      return Math.min(part.to, part.from + Math.max(0, at - part.left) / perSecond);
    };
    return {x, back, parts, gap, perSecond};
  }

  function timeAxis(svg, box, scale) {
    charts.axisName(svg, box, 'time (UTC; +: since then)');
    for (const part of scale.parts) {
      // Round times since the part's begin, as far as their labels have room.
      const length = part.to - part.from;
      const room = Math.max(1, Math.floor((part.right - part.left) / 90));
      const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
      const step = steps.find(s => length / s <= room) || 86400 * Math.ceil(length / 86400 / room);
      for (let t = 0; t <= length; t += step) {
        const at = scale.x(part.from + t);
        element('line', {class: 'grid', x1: at, x2: at, y1: box.top, y2: box.bottom + 4}, svg);
        const text = t === 0 ? clock(part.from).slice(11) : `+${duration(t)}`;
        if (t > 0 && at > part.right - 40) continue;
        if (t === 0 && part.right - part.left < 60) continue;
        element('text', {x: at, y: box.bottom + 17}, svg, text);
      }
    }
    for (let i = 1; i < scale.parts.length; ++i) {
      const at = (scale.parts[i - 1].right + scale.parts[i].left) / 2;
      let zigzag = `M${at} ${box.top}`;
      for (let y = box.top + 6, k = 0; y < box.bottom; y += 6, ++k) zigzag += `L${at + (k % 2 ? -4 : 4)} ${y}`;
      const path = element('path', {class: 'gap', d: zigzag}, svg);
      element('title', {}, path, `Nothing ran for ${duration(scale.parts[i].from - scale.parts[i - 1].to)}`);
    }
  }

  // A row for each host's rank and kind of work; within it as many lanes as are busy at once.
  function rows() {
    const found = new Map();
    // Starts that were at work together have rows of their own: each has a rank 0.
    const rowOf = (of, kind) => {
      const shared = data.starts.find(start => start.number === of.start + 1 && start.shares);
      const start = shared ? shared.number : 0;
      const key = JSON.stringify([of.host, start, of.rank, kind]);
      if (!found.has(key)) found.set(key, {host: of.host, start, rank: of.rank, kind, pieces: [], failed: []});
      return found.get(key);
    };
    const add = (list, kind) => {
      for (const piece of list) rowOf(piece, kind).pieces.push({...piece, kind});
    };
    add(segments, 'segment');
    add(chunks, 'chunk');
    for (const failure of data.failures) rowOf(failure, failure.chunk ? 'chunk' : 'segment').failed.push(failure);
    const sorted = [...found.values()].sort((a, b) => a.host.localeCompare(b.host, 'en', {numeric: true}) || a.start - b.start || a.rank - b.rank ||
      (a.kind < b.kind) - (a.kind > b.kind));
    for (const row of sorted) {
      row.pieces.sort((a, b) => a.begun - b.begun);
      const ends = [];
      for (const piece of row.pieces) {
        // Times are of whole seconds: what touches does not overlap.
        let lane = ends.findIndex(end => end <= piece.begun + 1);
        if (lane < 0) lane = ends.length;
        ends[lane] = piece.end_s;
        piece.lane = lane;
      }
      row.lanes = Math.max(1, ends.length);
    }
    return sorted;
  }

  function key(place, entries) {
    const list = document.createElement('div');
    list.className = 'key';
    for (const [draw, text] of entries) {
      const entry = document.createElement('span');
      const svg = element('svg', {class: 'chart', viewBox: '0 0 28 14', 'aria-hidden': 'true'}, entry);
      draw(svg);
      entry.append(text);
      list.append(entry);
    }
    place.append(list);
  }
  const swatch = css => svg => element('rect', {class: css, x: 1, y: 1, width: 26, height: 12}, svg);
  const stroke = css => svg => element('line', {class: css, x1: 1, x2: 27, y1: 7, y2: 7}, svg);

  function hatch(svg) {
    const pattern = element('pattern', {id: 'hatch', width: 7, height: 7, patternUnits: 'userSpaceOnUse',
                                        patternTransform: 'rotate(45)'}, element('defs', {}, svg));
    element('line', {class: 'hatch-line', x1: 0, x2: 0, y1: 0, y2: 7}, pattern);
  }

  function gantt(place) {
    const list = rows();
    const lane = 18, between = 8, top = data.starts.length > 0 ? 24 : 8;
    const title = isNarrow() ? 16 : 0;  // a row's name above it
    const height = top + list.reduce((sum, row) => sum + title + row.lanes * lane + between, 0);
    const box = {left: title > 0 ? 10 : list.some(row => row.start) ? 240 : 200, right: charts.width() - 10, top, bottom: height};
    const svg = charts.frame(place, height + 40, `Timeline: ${segments.length} segments and ${chunks.length} chunks on ` +
      `${list.length} rows of ranks, ${data.failures.length} failed attempts. The table below has the same.`);
    svg.classList.add('chart');
    hatch(svg);
    const scale = timeScale(box);
    data.starts.forEach(start => {
      const left = scale.x(start.begun), right = Math.max(left + 1, scale.x(start.end));
      const band = element('rect', {class: 'band', x: left, y: 4, width: right - left, height: height - 4}, svg);
      element('title', {}, band, `Start ${start.number}, ${clock(start.begun)} to ${start.open ? 'about ' : ''}${clock(start.end)}: ${start.how}`);
      if (right - left > 50) {
        element('text', {x: left + 4, y: 17}, svg, `start ${start.number}${start.open ? ' (no end known)' : ''}`);
      } else if (right - left > 14) {
        element('text', {x: left + 2, y: 17}, svg, String(start.number));
      }
    });
    timeAxis(svg, box, scale);
    let y = top + between / 2;
    for (const row of list) {
      const what = row.kind === 'chunk' ? 'encodes' : 'upscales';
      const host = row.host.length > 14 ? row.host.slice(0, 13) + '\u2026' : row.host;
      element('text', title > 0 ? {class: 'name', x: box.left, y: y + 12} : {class: 'name end', x: box.left - 8, y: y + 13}, svg, `${host} ${row.start ? `start ${row.start} ` : ''}rank ${row.rank} ${what}`);
      y += title;
      for (const piece of row.pieces) {
        const left = scale.x(piece.begun), width = Math.max(1, scale.x(piece.end_s) - left);
        const at = y + piece.lane * lane;
        const bar = element('rect', {class: `bar-${piece.kind}${width < 5 ? ' thin' : ''}`, x: left, y: at + 1, width, height: lane - 2}, svg);
        element('title', {}, bar, `${piece.kind} ${piece.segment}, frames ${piece.begin} to ${piece.end - 1}, rank ${piece.rank} on ` +
          `${piece.host}, attempt ${piece.attempt}: ${clock(piece.begun)}, ${duration(piece.took)}`);
        const text = `${piece.segment}${piece.attempt > 1 ? '\u00a0(' + piece.attempt + '.)' : ''}`;
        if (width > 7 * text.length + 4) element('text', {class: 'in-bar', x: left + width / 2, y: at + 13}, svg, text);
      }
      for (const failure of row.failed) {
        // When it began is not known: no earlier than what went before it on this rank.
        const before = row.pieces.map(p => p.end_s).filter(end => end <= failure.time);
        const start = data.starts.filter(s => s.begun <= failure.time).map(s => s.begun);
        const from = Math.max(...before, ...start, work[0][0]);
        const right = scale.x(failure.time), left = Math.min(right - 6, scale.x(from));
        const bar = element('rect', {class: 'bar-failed', x: left, y: y + 3, width: right - left, height: lane - 6}, svg);
        element('title', {}, bar, `${failure.chunk ? 'chunk' : 'segment'} ${failure.segment} failed on rank ${failure.rank} at ` +
          `${clock(failure.time)}: ${failure.reason}`);
      }
      y += row.lanes * lane + between;
    }
    const entries = [[swatch('bar-segment'), 'a segment is upscaled (its number)']];
    if (chunks.length > 0) entries.push([swatch('bar-chunk'), 'a chunk is encoded']);
    if (data.failures.length > 0) {
      entries.push([swatch('bar-failed'), 'failed by the end of this bar (when it began is not recorded)']);
    }
    if (data.starts.length > 0) entries.push([swatch('band'), 'a start was at work']);
    if (scale.parts.length > 1) entries.push([stroke('gap'), 'a pause, cut out']);
    key(place, entries);
  }

  function speed(place) {
    const box = {left: 56, right: charts.width() - 10, top: 12, bottom: 190};
    const scale = timeScale(box);
    const columns = 200;
    const width = (box.right - box.left) / columns;
    // Frames of a piece are spread evenly over its time.
    const rates = list => {
      const sums = new Array(columns).fill(0);
      for (const piece of list) {
        const left = scale.x(piece.begun), right = Math.max(left + 1, scale.x(piece.end_s));
        const each = (piece.end - piece.begin) / (right - left);
        const first = Math.max(0, Math.floor((left - box.left) / width));
        for (let c = first; c < columns && box.left + c * width < right; ++c) {
          const from = Math.max(left, box.left + c * width), to = Math.min(right, box.left + (c + 1) * width);
          sums[c] += Math.max(0, to - from) * each;
        }
      }
      return sums.map(frames => frames / (width / scale.perSecond));
    };
    const series = [['upscaled', rates(segments), 'series-1']];
    if (chunks.length > 0) series.push(['encoded', rates(chunks), 'series-2']);
    const most = Math.max(...series.flatMap(s => s[1])) * 1.08 || 1;
    const svg = charts.frame(place, 230, `Frames a second over time: ${series.map(([name, values]) =>
      `${name} at most ${number(Math.max(...values))}`).join(', ')}.`);
    const said = charts.sentence(place);
    const y = charts.valueAxis(svg, box, 0, most);
    timeAxis(svg, box, scale);
    for (const [, values, css] of series) {
      let d = '';
      values.forEach((value, c) => {
        d += `${c ? 'L' : 'M'}${(box.left + c * width).toFixed(1)} ${y(value).toFixed(1)}H${(box.left + (c + 1) * width).toFixed(1)}`;
      });
      element('path', {class: css, d}, svg);
    }
    charts.reader(svg, box, said, part => {
      const c = Math.min(columns - 1, Math.floor(part * columns));
      const x = box.left + (c + 0.5) * width;
      return {x, text: `${clock(scale.back(x))} UTC: ` + series.map(([name, values]) => `${name} ${number(values[c])} fps`).join(', ')};
    });
    key(place, series.map(([name, , css]) => [stroke(css), name]));
  }

  function stages(place) {
    const list = [...data.stages.upscaling.map(([name, s]) => [`upscaling: ${name}`, s, 'fill-1']),
                  ...data.stages.encoding.map(([name, s]) => [`chunks: ${name}`, s, 'fill-2'])];
    const row = 26, left = isNarrow() ? 130 : 200;
    const most = Math.max(...list.map(entry => entry[1]), 1e-9);
    const svg = charts.frame(place, list.length * row + 8, 'Seconds at work for each frame: ' +
      list.map(([name, s]) => `${name} ${number(s)}`).join(', '));
    list.forEach(([name, s, css], i) => {
      const y = i * row + 6, width = s / most * (charts.width() - left - 125);
      element('text', {class: 'name end', x: left - 10, y: y + 14}, svg, name);
      element('rect', {class: css, x: left, y: y + 1, width: Math.max(1, width), height: row - 8}, svg);
      element('text', {x: left + 8 + width, y: y + 14}, svg, `${number(s)} s a frame`);
    });
  }

  // --- Frames --------------------------------------------------------------------------------------------------------

  function unpacked(packed) {
    if (!packed) return null;
    const bytes = atob(packed.values);
    const values = new Float32Array(data.frames).fill(NaN);
    let at = Math.ceil(values.length / 8);
    for (let i = 0; i < values.length; ++i) {
      if (!(bytes.charCodeAt(i >> 3) >> (i & 7) & 1)) continue;
      const step = bytes.charCodeAt(at) | bytes.charCodeAt(at + 1) << 8;
      values[i] = packed.least + step / 65535 * (packed.most - packed.least);
      at += 2;
    }
    return values;
  }

  function nameOf(frame) {
    const s = frame / data.rate;
    const two = value => String(Math.floor(value)).padStart(2, '0');
    return `Frame ${frame} (${Math.floor(s / 3600)}:${two(s / 60 % 60)}:${two(s % 60)})`;
  }

  function measure(id, values, options) {
    const place = document.getElementById(id);
    if (!place) return;
    if (values) charts.values(place, values, {name: nameOf, ...options});
    else place.textContent = 'Not measured.';
  }

  function seams(place) {
    const list = data.seams.filter(seam => seam[1] !== null);
    if (list.length === 0) {
      place.textContent = 'No frame was upscaled twice (stream.overlap = 0), so nothing can be told.';
      return;
    }
    const box = {left: 56, right: charts.width() - 10, top: 12, bottom: 170};
    const svg = charts.frame(place, 210, `Likeness at ${list.length} places where segments meet; the least ` +
      `${number(Math.min(...list.map(s => s[1])))} dB. The table below has the same.`);
    const said = charts.sentence(place);
    const values = list.map(seam => seam[1]);
    const least = Math.min(...values) - 1, most = Math.max(...values) + 1;
    const y = charts.valueAxis(svg, box, least, most);
    const x = charts.frameAxis(svg, box, data.frames);
    for (const [at, db, seen] of list) {
      if (seen) {
        element('path', {class: 'mark', d: `M${x(at) - 6} ${y(db) + 5}L${x(at)} ${y(db) - 6}L${x(at) + 6} ${y(db) + 5}Z`}, svg);
      } else {
        element('circle', {class: 'dot', cx: x(at), cy: y(db), r: 3.5}, svg);
      }
    }
    charts.reader(svg, box, said, part => {
      const at = part * data.frames;
      const [frame, db, seen] = list.reduce((best, seam) => Math.abs(seam[0] - at) < Math.abs(best[0] - at) ? seam : best);
      return {x: x(frame), text: `${nameOf(frame)}: ${number(db)} dB${seen ? ', may be seen' : ''}`};
    });
    key(place, [[svg => element('circle', {class: 'dot', cx: 14, cy: 7, r: 4}, svg), 'not to be seen'],
                [svg => element('path', {class: 'mark', d: 'M8 12L14 2L20 12Z'}, svg), 'may be seen']]);
  }

  // --- The page ------------------------------------------------------------------------------------------------------

  const draw = (id, how) => {
    const place = document.getElementById(id);
    if (place) how(place);
  };
  const measures = [
    ['back-projection', unpacked(data.back_projection_db),
     {label: 'Back-projection by frame, dB', unit: 'dB', low: data.low_db || undefined, marks: data.worst}],
    ['sharpness-gain', unpacked(data.sharpness_gain), {label: 'Sharpness gain by frame', unit: 'times'}],
    ['luma', unpacked(data.luma_mean), {label: 'Mean luma by frame', unit: '', zero: true}]];

  function drawAll(pixels) {
    charts.fit(pixels);
    if (work.length > 0 && segments.length + chunks.length > 0) {
      draw('gantt', gantt);
      draw('speed', speed);
      draw('stages', stages);
    } else {
      for (const id of ['gantt', 'speed', 'stages']) draw(id, place => { place.textContent = 'Nothing is made yet.'; });
    }
    for (const [id, values, options] of measures) measure(id, values, options);
    draw('seams-plot', seams);
  }
  const room = () => document.getElementById('gantt').clientWidth;
  drawAll(room());
  let drawnFor = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth === drawnFor || matchMedia('print').matches) return;
    drawnFor = innerWidth;
    drawAll(room());
  });

  // Where a row of the starts has no room on a phone each of its values is a line.
  for (const table of document.querySelectorAll('#starts table')) {
    const heads = [...table.querySelectorAll('th')].map(head => head.textContent);
    for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, i) => { cell.dataset.head = heads[i]; });
    table.classList.add('lines');
  }

  for (const block of document.querySelectorAll('.copy')) {
    if (!navigator.clipboard) break;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector('pre').textContent);
        button.textContent = 'Copied';
      } catch {
        button.textContent = 'Not allowed here';
      }
    });
    block.append(button);
  }

  // On paper what is folded is not there, but for short tables.
  addEventListener('beforeprint', () => {
    drawAll(1000);
    for (const folded of document.querySelectorAll('details')) {
      if (folded.open || folded.querySelectorAll('tr').length > 60) continue;
      folded.open = true;
      folded.dataset.printed = '';
    }
  });
  addEventListener('afterprint', () => {
    drawAll(room());
    for (const folded of document.querySelectorAll('details[data-printed]')) {
      folded.open = false;
      delete folded.dataset.printed;
    }
  });
})();
